//! Which instances become one module, and where each of their imports leads.

use std::collections::{HashMap, HashSet};

use wasmparser::{Instance, Parser, Payload, TypeRef};

use super::MergeError;
use super::component::{Component, Core, Item, Kind, NO_SUCH, Spaces, count, needs_of};

/// The instances that are merged, in their order.
#[derive(Default)]
pub(super) struct Linked<'a> {
    pub(super) members: Vec<Member<'a>>,
    /// What they import of the component.
    pub(super) given: Vec<Given>,
    by_function: HashMap<u32, u32>,
    by_instance: HashMap<u32, usize>,
    defined: Spaces<()>,
}

/// One instance, which is one module then.
pub(super) struct Member<'a> {
    pub(super) module: &'a [u8],
    /// Where each index of its own leads.
    pub(super) spaces: Spaces<Place>,
    /// How many functions it imports.
    pub(super) imported: u32,
    pub(super) types: u32,
    pub(super) elements: u32,
    pub(super) segments: u32,
    exports: HashMap<&'a str, (Kind, u32)>,
}

/// A function that the component gives.
pub(super) struct Given {
    /// Its index in the component.
    pub(super) function: u32,
    /// The type it is imported with, by the member and by its own index.
    pub(super) member: usize,
    pub(super) ty: u32,
}

/// Where something is in the merged module.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Given(u32),
    /// Counted over all members.
    Defined(u32),
}

impl<'a> Linked<'a> {
    pub(super) fn new(component: &Component<'a>) -> Result<Self, MergeError> {
        let mut linked = Self::default();
        let (mut late, mut instantiated) = (HashSet::new(), HashSet::new());
        for core in &component.core {
            let needs = component.needs(*core)?;
            if makes_late(component, *core)? || needs.iter().any(|need| late.contains(need)) {
                late.insert(*core);
                continue;
            }
            let Core::Instance(index) = *core else { continue };
            let Instance::Instantiate { module_index, args } = component.instance(index)? else { continue };
            if !instantiated.insert(*module_index) {
                return Err(MergeError::Unfit("one is instantiated twice"));
            }
            let module = component.modules.get(*module_index as usize).ok_or(NO_SUCH)?;
            let args = args.iter().map(|arg| (arg.name, arg.index)).collect();
            let member = linked.read(component, module, &args)?;
            linked.by_instance.insert(index, linked.members.len());
            linked.members.push(member);
        }
        Ok(linked)
    }

    /// Whether an instance is merged.
    pub(super) fn has(&self, instance: u32) -> bool {
        self.by_instance.contains_key(&instance)
    }

    /// The index in the merged module.
    pub(super) fn index(&self, kind: Kind, place: Place) -> u32 {
        match (place, kind) {
            (Place::Given(index), _) => index,
            (Place::Defined(index), Kind::Function) => count(&self.given) + index,
            (Place::Defined(index), Kind::Table | Kind::Memory | Kind::Global) => index,
        }
    }

    /// Where an export of a merged instance is.
    pub(super) fn export(&self, instance: u32, name: &str) -> Result<(Kind, Place), MergeError> {
        let member = self.by_instance.get(&instance).and_then(|number| self.members.get(*number)).ok_or(NO_SUCH)?;
        let (kind, index) = member.exports.get(name).ok_or(NO_SUCH)?;
        Ok((*kind, *member.spaces.get(*kind, *index)?))
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what is in the other sections is no matter yet")]
    fn read(
        &mut self,
        component: &Component<'a>,
        module: &'a [u8],
        args: &HashMap<&str, u32>,
    ) -> Result<Member<'a>, MergeError> {
        let mut member = Member {
            module,
            spaces: Spaces::default(),
            imported: 0,
            types: 0,
            elements: 0,
            segments: 0,
            exports: HashMap::new(),
        };
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::TypeSection(groups) => {
                    for group in groups {
                        member.types += u32::try_from(group?.types().len()).unwrap_or(u32::MAX);
                    }
                }
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let import = import?;
                        let instance = *args.get(import.module).ok_or(NO_SUCH)?;
                        let (kind, place) = self.find(component, instance, import.name, import.ty)?;
                        member.spaces.of_mut(kind).push(place);
                    }
                    member.imported = count(member.spaces.of(Kind::Function));
                }
                Payload::FunctionSection(functions) => self.define(&mut member, Kind::Function, functions.count()),
                Payload::TableSection(tables) => self.define(&mut member, Kind::Table, tables.count()),
                Payload::MemorySection(memories) => self.define(&mut member, Kind::Memory, memories.count()),
                Payload::GlobalSection(globals) => self.define(&mut member, Kind::Global, globals.count()),
                Payload::TagSection(_) => return Err(MergeError::Unfit("one has exception tags")),
                Payload::StartSection { .. } => return Err(MergeError::Unfit("one has a start function")),
                Payload::ExportSection(exports) => {
                    for export in exports {
                        let export = export?;
                        member.exports.insert(export.name, (Kind::of(export.kind)?, export.index));
                    }
                }
                Payload::ElementSection(elements) => member.elements = elements.count(),
                Payload::DataSection(segments) => member.segments = segments.count(),
                Payload::CustomSection(section) if section.name().starts_with(".debug_") => {
                    return Err(MergeError::Unfit("one carries DWARF, whose places would be wrong"));
                }
                _ => {}
            }
        }
        Ok(member)
    }

    fn define(&mut self, member: &mut Member<'a>, kind: Kind, how_many: u32) {
        for _ in 0..how_many {
            let number = count(self.defined.of(kind));
            self.defined.of_mut(kind).push(());
            member.spaces.of_mut(kind).push(Place::Defined(number));
        }
    }

    /// Where an import leads, by the instance that stands for its module's name.
    fn find(
        &mut self,
        component: &Component<'a>,
        instance: u32,
        name: &str,
        ty: TypeRef,
    ) -> Result<(Kind, Place), MergeError> {
        let Instance::FromExports(exports) = component.instance(instance)? else {
            return self.export(instance, name);
        };
        let export = exports.iter().find(|export| export.name == name).ok_or(NO_SUCH)?;
        let kind = Kind::of(export.kind)?;
        match component.items.get(kind, export.index)? {
            Item::Export { instance, name } => self.export(*instance, name),
            Item::Canonical(_) => Ok((kind, self.give(export.index, ty)?)),
        }
    }

    /// A function of the component's, for the member that is being read.
    fn give(&mut self, function: u32, ty: TypeRef) -> Result<Place, MergeError> {
        let (TypeRef::Func(ty) | TypeRef::FuncExact(ty)) = ty else { return Err(NO_SUCH) };
        let number = *self.by_function.entry(function).or_insert_with(|| {
            self.given.push(Given { function, member: self.members.len(), ty });
            count(&self.given) - 1
        });
        Ok(Place::Given(number))
    }
}

/// Whether it needs something of a core instance by itself, as a canonical function does that reads a memory.
fn makes_late(component: &Component<'_>, core: Core) -> Result<bool, MergeError> {
    let Core::Item(kind, index) = core else { return Ok(false) };
    Ok(match component.items.get(kind, index)? {
        Item::Export { .. } => false,
        Item::Canonical(function) => !needs_of(function)?.is_empty(),
    })
}
