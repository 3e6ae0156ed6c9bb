//! The component around the merged module.

use std::collections::{BTreeSet, HashMap, HashSet};

use wasm_encoder::reencode::{self, Reencode, ReencodeComponent};
use wasm_encoder::{
    Alias, CanonicalFunctionSection, ComponentAliasSection, ComponentSectionId, ExportKind, InstanceSection, ModuleArg,
    RawSection,
};
use wasmparser::{CanonicalFunction, Instance, Parser, Payload};

use super::MergeError;
use super::component::{Component, Core, Item, Kind, NO_SUCH, Part, Spaces, count, needs_of};
use super::link::Linked;
use super::module::{self, GIVEN, name_of};

/// A component as far as it is written, and the new index of each core definition that is in it.
struct Emitted {
    component: wasm_encoder::Component,
    indices: HashMap<Core, u32>,
    modules: u32,
    instances: u32,
    items: Spaces<()>,
}

/// What somebody imports of a member.
struct Taken<'a> {
    member: u32,
    name: &'a str,
    kind: Kind,
    index: u32,
}

/// The same component with its members merged.
pub(super) fn component(component: &Component<'_>, linked: &Linked<'_>) -> Result<Vec<u8>, MergeError> {
    let needed = needed(component, linked)?;
    let mut emitted = Emitted {
        component: wasm_encoder::Component::new(),
        indices: HashMap::new(),
        modules: 0,
        instances: 0,
        items: Spaces::default(),
    };
    let mut has_core = false;
    for part in &component.parts {
        if let (Part::Lift(_), false) = (part, has_core) {
            emitted.core(component, linked, &needed)?;
            has_core = true;
        }
        emitted.part(part)?;
    }
    Ok(emitted.component.finish())
}

/// What is core and needed by what is not, or by what is not merged.
fn needed(component: &Component<'_>, linked: &Linked<'_>) -> Result<HashSet<Core>, MergeError> {
    let mut waiting = Vec::new();
    for part in &component.parts {
        if let Part::Lift(function) = part {
            waiting.extend(needs_of(function)?);
        }
    }
    waiting.extend(linked.given.iter().map(|given| Core::Item(Kind::Function, given.function)));
    waiting.extend(component.core.iter().filter(|core| match core {
        Core::Instance(index) => {
            !linked.has(*index) && matches!(component.instance(*index), Ok(Instance::Instantiate { .. }))
        }
        Core::Item(..) => false,
    }));
    let mut needed = HashSet::new();
    while let Some(core) = waiting.pop() {
        let is_member = matches!(core, Core::Instance(index) if linked.has(index));
        if needed.insert(core) && !is_member {
            waiting.extend(component.needs(core)?);
        }
    }
    Ok(needed)
}

impl Emitted {
    fn part(&mut self, part: &Part<'_>) -> Result<(), MergeError> {
        match part {
            Part::Section { id, data } => {
                self.component.section(&RawSection { id: *id, data });
            }
            Part::Alias(alias) => {
                let mut aliases = ComponentAliasSection::new();
                aliases.alias(self.component_alias(alias.clone())?);
                self.component.section(&aliases);
            }
            Part::Lift(function) => self.canonical(function.clone())?,
        }
        Ok(())
    }

    /// All that is core, with the merged module before whatever needs something of it.
    fn core(
        &mut self,
        component: &Component<'_>,
        linked: &Linked<'_>,
        needed: &HashSet<Core>,
    ) -> Result<(), MergeError> {
        let given: Vec<Core> = linked.given.iter().map(|given| Core::Item(Kind::Function, given.function)).collect();
        for core in &given {
            self.define(component, *core)?;
        }
        let mut exports = BTreeSet::new();
        for core in needed {
            exports.extend(of_member(component, linked, *core)?);
            exports.extend(taken_whole(component, linked, *core)?.into_iter().map(|taken| (taken.kind, taken.index)));
        }
        let module = self.module(&module::of(linked, &exports)?);
        let mut instances = InstanceSection::new();
        let mut functions = Vec::new();
        for (number, core) in given.iter().enumerate() {
            functions.push((number.to_string(), ExportKind::Func, self.index(*core)?));
        }
        instances.export_items(functions);
        instances.instantiate(module, [(GIVEN, ModuleArg::Instance(self.instances))]);
        self.component.section(&instances);
        let merged = self.instances + 1;
        self.instances += 2;
        for core in &component.core {
            let is_member = matches!(core, Core::Instance(index) if linked.has(*index));
            if is_member || !needed.contains(core) || self.indices.contains_key(core) {
                continue;
            }
            if let Some((kind, index)) = of_member(component, linked, *core)? {
                self.take(merged, kind, index);
                self.defined(*core, kind);
                continue;
            }
            self.bundle(merged, &taken_whole(component, linked, *core)?);
            self.define(component, *core)?;
        }
        Ok(())
    }

    /// Takes something from the merged instance.
    fn take(&mut self, merged: u32, kind: Kind, index: u32) {
        let mut aliases = ComponentAliasSection::new();
        let name = name_of(kind, index);
        aliases.alias(Alias::CoreInstanceExport { instance: merged, kind: kind.exported(), name: &name });
        self.component.section(&aliases);
    }

    /// Puts members together again that somebody takes as a whole.
    fn bundle(&mut self, merged: u32, taken: &[Taken<'_>]) {
        for one in taken.chunk_by(|a, b| a.member == b.member) {
            let mut items = Vec::new();
            for Taken { name, kind, index, .. } in one {
                items.push((*name, kind.exported(), count(self.items.of(*kind))));
                self.take(merged, *kind, *index);
                self.items.of_mut(*kind).push(());
            }
            let mut instances = InstanceSection::new();
            instances.export_items(items);
            self.component.section(&instances);
            self.indices.extend(one.first().map(|taken| (Core::Instance(taken.member), self.instances)));
            self.instances += 1;
        }
    }

    /// Writes a definition again, of which all that it needs is there.
    fn define(&mut self, component: &Component<'_>, core: Core) -> Result<(), MergeError> {
        match core {
            Core::Instance(index) => {
                let mut instances = InstanceSection::new();
                match component.instance(index)? {
                    Instance::Instantiate { module_index, args } => {
                        let module = component.modules.get(*module_index as usize).ok_or(NO_SUCH)?;
                        let module = self.module(module);
                        let mut given = Vec::new();
                        for arg in args {
                            given.push((arg.name, ModuleArg::Instance(self.index(Core::Instance(arg.index))?)));
                        }
                        instances.instantiate(module, given);
                    }
                    Instance::FromExports(exports) => {
                        let mut items = Vec::new();
                        for export in exports {
                            let kind = Kind::of(export.kind)?;
                            items.push((export.name, kind.exported(), self.index(Core::Item(kind, export.index))?));
                        }
                        instances.export_items(items);
                    }
                }
                self.component.section(&instances);
                self.indices.insert(core, self.instances);
                self.instances += 1;
            }
            Core::Item(kind, index) => {
                match component.items.get(kind, index)? {
                    Item::Export { instance, name } => {
                        let mut aliases = ComponentAliasSection::new();
                        let instance = self.index(Core::Instance(*instance))?;
                        aliases.alias(Alias::CoreInstanceExport { instance, kind: kind.exported(), name });
                        self.component.section(&aliases);
                    }
                    Item::Canonical(function) => self.canonical(function.clone())?,
                }
                self.defined(core, kind);
            }
        }
        Ok(())
    }

    fn canonical(&mut self, function: CanonicalFunction) -> Result<(), MergeError> {
        let mut functions = CanonicalFunctionSection::new();
        self.parse_component_canonical(&mut functions, function)?;
        self.component.section(&functions);
        Ok(())
    }

    /// Writes a module, and gives its index.
    fn module(&mut self, bytes: &[u8]) -> u32 {
        self.component.section(&RawSection { id: ComponentSectionId::CoreModule.into(), data: bytes });
        self.modules += 1;
        self.modules - 1
    }

    fn defined(&mut self, core: Core, kind: Kind) {
        self.indices.insert(core, count(self.items.of(kind)));
        self.items.of_mut(kind).push(());
    }

    fn index(&self, core: Core) -> Result<u32, MergeError> {
        self.indices.get(&core).copied().ok_or(NO_SUCH)
    }

    fn moved(&self, kind: Kind, index: u32) -> Result<u32, reencode::Error<MergeError>> {
        self.index(Core::Item(kind, index)).map_err(reencode::Error::UserError)
    }
}

/// What an instance that is not merged takes from members that it is given as a whole, member by member.
fn taken_whole<'a>(component: &Component<'a>, linked: &Linked<'_>, core: Core) -> Result<Vec<Taken<'a>>, MergeError> {
    let Core::Instance(instance) = core else { return Ok(Vec::new()) };
    let Instance::Instantiate { module_index, args } = component.instance(instance)? else { return Ok(Vec::new()) };
    if linked.has(instance) {
        return Ok(Vec::new());
    }
    let module = component.modules.get(*module_index as usize).ok_or(NO_SUCH)?;
    let mut taken = Vec::new();
    for arg in args.iter().filter(|arg| linked.has(arg.index)) {
        for (_, name) in imports_of(module)?.into_iter().filter(|(from, _)| *from == arg.name) {
            let (kind, place) = linked.export(arg.index, name)?;
            taken.push(Taken { member: arg.index, name, kind, index: linked.index(kind, place) });
        }
    }
    Ok(taken)
}

/// The two names of each import.
fn imports_of(module: &[u8]) -> Result<Vec<(&str, &str)>, MergeError> {
    let mut named = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(imports) = payload? {
            for import in imports.into_imports() {
                let import = import?;
                named.push((import.module, import.name));
            }
        }
    }
    Ok(named)
}

/// What it is in the merged module, if it is an export of a member.
fn of_member(component: &Component<'_>, linked: &Linked<'_>, core: Core) -> Result<Option<(Kind, u32)>, MergeError> {
    let Core::Item(kind, index) = core else { return Ok(None) };
    match component.items.get(kind, index)? {
        Item::Export { instance, name } if linked.has(*instance) => {
            let (kind, place) = linked.export(*instance, name)?;
            Ok(Some((kind, linked.index(kind, place))))
        }
        Item::Export { .. } | Item::Canonical(_) => Ok(None),
    }
}

/// The indices of canonical functions and their options.
impl Reencode for Emitted {
    type Error = MergeError;

    fn function_index(&mut self, index: u32) -> Result<u32, reencode::Error<MergeError>> {
        self.moved(Kind::Function, index)
    }

    fn memory_index(&mut self, index: u32) -> Result<u32, reencode::Error<MergeError>> {
        self.moved(Kind::Memory, index)
    }
}

impl ReencodeComponent for Emitted {}
