//! A component's outermost level: what is core WebAssembly in it, and what is not.

use std::collections::BTreeMap;
use std::ops::Range;

use wasm_encoder::ExportKind;
use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ComponentType, ComponentTypeRef, ExternalKind, Instance, Parser, Payload,
};

use super::MergeError;

/// Indices are into the component's own spaces, as they were.
#[derive(Default)]
pub(super) struct Component<'a> {
    /// What is not core, in its order.
    pub(super) parts: Vec<Part<'a>>,
    /// What is core, in its order.
    pub(super) core: Vec<Core>,
    pub(super) modules: Vec<&'a [u8]>,
    pub(super) instances: Vec<Instance<'a>>,
    pub(super) items: Spaces<Item<'a>>,
}

/// One of what a component is put together from.
pub(super) enum Part<'a> {
    Section { id: u8, data: &'a [u8] },
    Alias(ComponentAlias<'a>),
    Lift(CanonicalFunction),
}

/// A definition that is core, by its index.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Core {
    Instance(u32),
    Item(Kind, u32),
}

/// Where a core item comes from.
pub(super) enum Item<'a> {
    Export { instance: u32, name: &'a str },
    Canonical(CanonicalFunction),
}

/// The kind of a core item.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Function,
    Table,
    Memory,
    Global,
}

/// One list for each kind.
pub(super) struct Spaces<T>(BTreeMap<Kind, Vec<T>>);

impl<'a> Component<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, MergeError> {
        let mut component = Self::default();
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            if let Payload::End(_) = payload {
                depth = depth.saturating_sub(1);
            } else if depth == 0 {
                component.take(&payload, bytes)?;
            }
            if let Payload::ModuleSection { .. } | Payload::ComponentSection { .. } = payload {
                depth += 1;
            }
        }
        Ok(component)
    }

    /// Whether a module of its says what a dynamic linker wants to know, by the tool conventions' section.
    pub(super) fn is_linked_dynamically(&self) -> bool {
        self.modules.iter().any(|module| {
            Parser::new(0)
                .parse_all(module)
                .map_while(Result::ok)
                .any(|payload| matches!(payload, Payload::CustomSection(section) if section.name() == "dylink.0"))
        })
    }

    /// Takes a payload of the outermost level.
    #[expect(clippy::wildcard_enum_match_arm, reason = "most sections are copied")]
    fn take(&mut self, payload: &Payload<'a>, bytes: &'a [u8]) -> Result<(), MergeError> {
        match payload {
            Payload::ModuleSection { unchecked_range, .. } => self.modules.push(within(bytes, unchecked_range)),
            Payload::InstanceSection(instances) => {
                for instance in instances.clone() {
                    self.core.push(Core::Instance(count(&self.instances)));
                    self.instances.push(instance?);
                }
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases.clone() {
                    self.alias(alias?)?;
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions.clone() {
                    self.canonical(function?);
                }
            }
            // The indices in it would not be right any more.
            Payload::CustomSection(section) if section.name() == "component-name" => {}
            other => {
                refuse_core_in(other)?;
                if let Some((id, range)) = other.as_section() {
                    self.parts.push(Part::Section { id, data: within(bytes, &range) });
                }
            }
        }
        Ok(())
    }

    fn alias(&mut self, alias: ComponentAlias<'a>) -> Result<(), MergeError> {
        match alias {
            ComponentAlias::CoreInstanceExport { kind, instance_index, name } => {
                self.item(Kind::of(kind)?, Item::Export { instance: instance_index, name });
            }
            ComponentAlias::InstanceExport { kind: ComponentExternalKind::Module, .. }
            | ComponentAlias::Outer {
                kind: ComponentOuterAliasKind::CoreModule | ComponentOuterAliasKind::CoreType,
                ..
            } => return Err(MODULES_FROM_ELSEWHERE),
            ComponentAlias::InstanceExport { .. } | ComponentAlias::Outer { .. } => self.parts.push(Part::Alias(alias)),
        }
        Ok(())
    }

    fn canonical(&mut self, function: CanonicalFunction) {
        if let CanonicalFunction::Lift { .. } = function {
            self.parts.push(Part::Lift(function));
        } else {
            self.item(Kind::Function, Item::Canonical(function));
        }
    }

    fn item(&mut self, kind: Kind, item: Item<'a>) {
        self.core.push(Core::Item(kind, count(self.items.of(kind))));
        self.items.of_mut(kind).push(item);
    }

    pub(super) fn instance(&self, index: u32) -> Result<&Instance<'a>, MergeError> {
        self.instances.get(index as usize).ok_or(NO_SUCH)
    }

    /// What must be there before it.
    pub(super) fn needs(&self, core: Core) -> Result<Vec<Core>, MergeError> {
        Ok(match core {
            Core::Instance(index) => match self.instance(index)? {
                Instance::Instantiate { args, .. } => args.iter().map(|arg| Core::Instance(arg.index)).collect(),
                Instance::FromExports(exports) => exports
                    .iter()
                    .map(|export| Ok(Core::Item(Kind::of(export.kind)?, export.index)))
                    .collect::<Result<_, MergeError>>()?,
            },
            Core::Item(kind, index) => match self.items.get(kind, index)? {
                Item::Export { instance, .. } => vec![Core::Instance(*instance)],
                Item::Canonical(function) => needs_of(function)?,
            },
        })
    }
}

/// What a canonical function needs of core instances.
#[expect(clippy::wildcard_enum_match_arm, reason = "all others are of WASI 0.3")]
pub(super) fn needs_of(function: &CanonicalFunction) -> Result<Vec<Core>, MergeError> {
    let (own, options) = match function {
        CanonicalFunction::Lift { core_func_index, options, .. } => {
            (Some(Core::Item(Kind::Function, *core_func_index)), options)
        }
        CanonicalFunction::Lower { options, .. } => (None, options),
        CanonicalFunction::ResourceNew { .. }
        | CanonicalFunction::ResourceDrop { .. }
        | CanonicalFunction::ResourceRep { .. } => return Ok(Vec::new()),
        _ => return Err(MergeError::Unfit("it has a canonical function of WASI 0.3")),
    };
    let mut needs: Vec<Core> = own.into_iter().collect();
    for option in options {
        needs.extend(match option {
            CanonicalOption::UTF8 | CanonicalOption::UTF16 | CanonicalOption::CompactUTF16 => None,
            CanonicalOption::Memory(index) => Some(Core::Item(Kind::Memory, *index)),
            CanonicalOption::Realloc(index) | CanonicalOption::PostReturn(index) => {
                Some(Core::Item(Kind::Function, *index))
            }
            CanonicalOption::Async
            | CanonicalOption::Callback(_)
            | CanonicalOption::CoreType(_)
            | CanonicalOption::Gc => return Err(MergeError::Unfit("it has a canonical option of WASI 0.3")),
        });
    }
    Ok(needs)
}

impl Kind {
    pub(super) const fn of(kind: ExternalKind) -> Result<Self, MergeError> {
        match kind {
            ExternalKind::Func | ExternalKind::FuncExact => Ok(Self::Function),
            ExternalKind::Table => Ok(Self::Table),
            ExternalKind::Memory => Ok(Self::Memory),
            ExternalKind::Global => Ok(Self::Global),
            ExternalKind::Tag => Err(MergeError::Unfit("one has exception tags")),
        }
    }

    pub(super) const fn exported(self) -> ExportKind {
        match self {
            Self::Function => ExportKind::Func,
            Self::Table => ExportKind::Table,
            Self::Memory => ExportKind::Memory,
            Self::Global => ExportKind::Global,
        }
    }
}

impl<T> Spaces<T> {
    pub(super) fn of(&self, kind: Kind) -> &[T] {
        self.0.get(&kind).map_or(&[], Vec::as_slice)
    }

    pub(super) fn of_mut(&mut self, kind: Kind) -> &mut Vec<T> {
        self.0.entry(kind).or_default()
    }

    pub(super) fn get(&self, kind: Kind, index: u32) -> Result<&T, MergeError> {
        self.of(kind).get(index as usize).ok_or(NO_SUCH)
    }
}

impl<T> Default for Spaces<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

const GIVEN_AWAY: MergeError = MergeError::Unfit("it gives a core module, or a core function, to what is not core");
const MODULES_FROM_ELSEWHERE: MergeError = MergeError::Unfit("it takes core modules from elsewhere");

/// For what validation has seen to be there.
pub(super) const NO_SUCH: MergeError = MergeError::Unfit("an index leads nowhere");

/// The length of a list, which is the index of what comes next.
pub(super) fn count<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}

fn within<'a>(bytes: &'a [u8], range: &Range<usize>) -> &'a [u8] {
    bytes.get(range.clone()).unwrap_or_default()
}

/// What is copied as it is must not name anything whose index changes.
#[expect(clippy::wildcard_enum_match_arm, reason = "most sections have no place for anything core")]
fn refuse_core_in(payload: &Payload<'_>) -> Result<(), MergeError> {
    match payload {
        Payload::CoreTypeSection(_) => Err(MODULES_FROM_ELSEWHERE),
        Payload::ComponentImportSection(imports) => {
            for import in imports.clone() {
                if let ComponentTypeRef::Module(_) = import?.ty {
                    return Err(MODULES_FROM_ELSEWHERE);
                }
            }
            Ok(())
        }
        Payload::ComponentTypeSection(types) => {
            for ty in types.clone() {
                if let ComponentType::Resource { dtor: Some(_), .. } = ty? {
                    return Err(GIVEN_AWAY);
                }
            }
            Ok(())
        }
        Payload::ComponentInstanceSection(instances) => {
            for instance in instances.clone() {
                let takes_module = match instance? {
                    ComponentInstance::Instantiate { args, .. } => {
                        args.iter().any(|arg| arg.kind == ComponentExternalKind::Module)
                    }
                    ComponentInstance::FromExports(exports) => {
                        exports.iter().any(|export| export.kind == ComponentExternalKind::Module)
                    }
                };
                if takes_module {
                    return Err(GIVEN_AWAY);
                }
            }
            Ok(())
        }
        Payload::ComponentExportSection(exports) => {
            for export in exports.clone() {
                if export?.kind == ComponentExternalKind::Module {
                    return Err(GIVEN_AWAY);
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
