//! The one module of many: their sections behind one another, with every index moved to where it leads now.

use std::collections::{BTreeSet, HashMap};

use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, Encode as _, EntityType, ExportSection,
    FunctionSection, GlobalSection, ImportSection, Instruction, MemorySection, Module, NameMap, NameSection,
    TableSection, TypeSection,
};
use wasmparser::{GlobalSectionReader, KnownCustom, Name, Parser, Payload};

use super::MergeError;
use super::component::Kind;
use super::link::{Linked, Member};

/// What the module calls all that it imports.
pub(super) const GIVEN: &str = "given";

#[derive(Default)]
struct Sections {
    types: TypeSection,
    functions: FunctionSection,
    tables: TableSection,
    memories: MemorySection,
    globals: GlobalSection,
    elements: ElementSection,
    code: CodeSection,
    data: DataSection,
    names: NameMap,
}

/// A member whose indices are moved.
struct Moved<'l, 'a> {
    linked: &'l Linked<'a>,
    member: &'l Member<'a>,
    /// What comes before its own.
    types: u32,
    elements: u32,
    segments: u32,
    /// The values of immutable globals, as instructions: what a segment's place is computed from must not be a module's own global.
    constants: HashMap<u32, Vec<u8>>,
}

/// The merged module, with `exports` called by [`name_of`].
pub(super) fn of(linked: &Linked<'_>, exports: &BTreeSet<(Kind, u32)>) -> Result<Vec<u8>, MergeError> {
    let mut sections = Sections::default();
    let mut first_types = Vec::new();
    let (mut types, mut elements, mut segments) = (0, 0, 0);
    let mut constants = HashMap::new();
    for member in &linked.members {
        first_types.push(types);
        let mut moved = Moved { linked, member, types, elements, segments, constants };
        moved.append_to(&mut sections)?;
        types += member.types;
        elements += member.elements;
        segments += member.segments;
        constants = moved.constants;
    }
    let mut imports = ImportSection::new();
    for (number, given) in linked.given.iter().enumerate() {
        let first = first_types.get(given.member).copied().unwrap_or_default();
        imports.import(GIVEN, &number.to_string(), EntityType::Function(first + given.ty));
    }
    let mut exported = ExportSection::new();
    for (kind, index) in exports {
        exported.export(&name_of(*kind, *index), kind.exported(), *index);
    }
    Ok(sections.into_module(&imports, &exported, segments))
}

/// The name of an export, by its index in the merged module.
pub(super) fn name_of(kind: Kind, index: u32) -> String {
    let kind = match kind {
        Kind::Function => "function",
        Kind::Table => "table",
        Kind::Memory => "memory",
        Kind::Global => "global",
    };
    format!("{kind} {index}")
}

impl Sections {
    fn into_module(self, imports: &ImportSection, exports: &ExportSection, segments: u32) -> Vec<u8> {
        let mut names = NameSection::new();
        names.functions(&self.names);
        let mut module = Module::new();
        module
            .section(&self.types)
            .section(imports)
            .section(&self.functions)
            .section(&self.tables)
            .section(&self.memories);
        module.section(&self.globals).section(exports).section(&self.elements);
        module.section(&DataCountSection { count: segments }).section(&self.code).section(&self.data).section(&names);
        module.finish()
    }
}

impl Moved<'_, '_> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "imports and exports are written anew")]
    fn append_to(&mut self, sections: &mut Sections) -> Result<(), MergeError> {
        for payload in Parser::new(0).parse_all(self.member.module) {
            match payload? {
                Payload::TypeSection(types) => self.parse_type_section(&mut sections.types, types)?,
                Payload::FunctionSection(functions) => {
                    self.parse_function_section(&mut sections.functions, functions)?;
                }
                Payload::TableSection(tables) => self.parse_table_section(&mut sections.tables, tables)?,
                Payload::MemorySection(memories) => self.parse_memory_section(&mut sections.memories, memories)?,
                Payload::GlobalSection(globals) => self.append_globals(&mut sections.globals, globals)?,
                Payload::ElementSection(elements) => self.parse_element_section(&mut sections.elements, elements)?,
                Payload::CodeSectionEntry(body) => self.parse_function_body(&mut sections.code, body)?,
                Payload::DataSection(segments) => self.parse_data_section(&mut sections.data, segments)?,
                Payload::CustomSection(section) => {
                    if let KnownCustom::Name(subsections) = section.as_known() {
                        for subsection in subsections {
                            self.append_names(&mut sections.names, subsection?)?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn append_globals(&mut self, globals: &mut GlobalSection, own: GlobalSectionReader<'_>) -> Result<(), MergeError> {
        for global in own {
            let global = global?;
            let (ty, value) = (self.global_type(global.ty)?, self.constant(&global.init_expr)?);
            if !ty.mutable {
                self.constants.insert(globals.len(), value.clone());
            }
            globals.global(ty, &ConstExpr::raw(value));
        }
        Ok(())
    }

    /// The names of functions that it defines, for the frames of a trap.
    fn append_names(&mut self, names: &mut NameMap, subsection: Name<'_>) -> Result<(), MergeError> {
        let Name::Function(functions) = subsection else { return Ok(()) };
        for naming in functions {
            let naming = naming?;
            if naming.index >= self.member.imported {
                names.append(self.function_index(naming.index)?, naming.name);
            }
        }
        Ok(())
    }

    fn place(&self, kind: Kind, index: u32) -> Result<u32, reencode::Error<MergeError>> {
        let place = self.member.spaces.get(kind, index).map_err(reencode::Error::UserError)?;
        Ok(self.linked.index(kind, *place))
    }

    fn constant(&mut self, expression: &wasmparser::ConstExpr<'_>) -> Result<Vec<u8>, reencode::Error<MergeError>> {
        let mut operators = expression.get_operators_reader();
        let mut constant = Vec::new();
        while !operators.is_end_then_eof() {
            let instruction = self.parse_instruction(&mut operators)?;
            if let Instruction::GlobalGet(index) = instruction {
                const CHANGES: MergeError = MergeError::Unfit("a constant of one is a global that can change");
                let value = self.constants.get(&index).ok_or(reencode::Error::UserError(CHANGES))?;
                constant.extend_from_slice(value);
            } else {
                instruction.encode(&mut constant);
            }
        }
        Ok(constant)
    }
}

impl Reencode for Moved<'_, '_> {
    type Error = MergeError;

    fn type_index(&mut self, index: u32) -> Result<u32, reencode::Error<MergeError>> {
        Ok(self.types + index)
    }

    fn function_index(&mut self, index: u32) -> Result<u32, reencode::Error<MergeError>> {
        self.place(Kind::Function, index)
    }

    fn table_index(&mut self, index: u32) -> Result<u32, reencode::Error<MergeError>> {
        self.place(Kind::Table, index)
    }

    fn memory_index(&mut self, index: u32) -> Result<u32, reencode::Error<MergeError>> {
        self.place(Kind::Memory, index)
    }

    fn global_index(&mut self, index: u32) -> Result<u32, reencode::Error<MergeError>> {
        self.place(Kind::Global, index)
    }

    fn element_index(&mut self, index: u32) -> Result<u32, reencode::Error<MergeError>> {
        Ok(self.elements + index)
    }

    fn data_index(&mut self, index: u32) -> Result<u32, reencode::Error<MergeError>> {
        Ok(self.segments + index)
    }

    fn const_expr(&mut self, expression: wasmparser::ConstExpr<'_>) -> Result<ConstExpr, reencode::Error<MergeError>> {
        Ok(ConstExpr::raw(self.constant(&expression)?))
    }
}
