//! One walk over an artifact's bytes that counts what would make compiling or instantiating it costly.

use bytesize::ByteSize;
use wasmparser::{
    BinaryReaderError, CustomSectionReader, Encoding, ExternalKind, FunctionBody, Instance, KnownCustom, Operator,
    Parser, Payload, TypeRef,
};

use crate::gates::Gates;
use crate::source::{Language, MAX_SOURCE_BYTES};

/// The longest import or export name that is kept; the formats allow 100,000 bytes.
const MAX_NAME_BYTES: usize = 256;

/// What the walk saw. The counts go over all nested modules and components.
#[derive(Default)]
pub(super) struct Census {
    pub(super) is_component: bool,
    /// The walk reached the end: imports and exports are complete.
    pub(super) is_readable: bool,
    pub(super) has_component_type: bool,
    /// The language of the source that it holds.
    pub(super) source: Option<Language>,
    pub(super) functions: u64,
    pub(super) largest_function_bytes: u64,
    /// Of the outermost module or component.
    pub(super) imports: Vec<String>,
    pub(super) exports: Vec<String>,
    /// The names of the tools that made it, from its `producers` sections.
    pub(super) producers: Vec<String>,
    pub(super) problems: Vec<String>,
    segments: u64,
    modules: u64,
    core_instances: u64,
    memories: u64,
    tables: u64,
}

impl Census {
    pub(super) fn take(artifact: &[u8]) -> Self {
        let mut census = Self::default();
        match census.walk(artifact) {
            Ok(()) => census.is_readable = true,
            Err(error) => census.problems.push(format!("is malformed: {}", error.message())),
        }
        census.judge();
        census
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all that opens or closes no level is counted")]
    fn walk(&mut self, artifact: &[u8]) -> Result<(), BinaryReaderError> {
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(artifact) {
            match payload? {
                Payload::Version { encoding, .. } => {
                    depth += 1;
                    if depth == 1 {
                        self.is_component = encoding == Encoding::Component;
                    }
                    if encoding == Encoding::Module {
                        self.modules += 1;
                    }
                    if depth > Gates::NESTING {
                        self.problems.push(format!("nests components deeper than {}", Gates::NESTING));
                        return Ok(());
                    }
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                payload => self.count(&payload, depth == 1)?,
            }
        }
        Ok(())
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other sections have no cost of their own; the validator looks into them"
    )]
    fn count(&mut self, payload: &Payload<'_>, outermost: bool) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::ImportSection(section) if self.gate(section.count(), Gates::IMPORTS, "imports") => {
                for import in section.clone().into_imports() {
                    let import = import?;
                    self.count_import(&import.ty);
                    if outermost {
                        self.imports.push(name(&format!("{}.{}", import.module, import.name)));
                    }
                }
            }
            Payload::ComponentImportSection(section)
                if outermost && self.gate(section.count(), Gates::IMPORTS, "imports") =>
            {
                for import in section.clone() {
                    self.imports.push(name(import?.name.name));
                }
            }
            Payload::ExportSection(section) if outermost => {
                for export in section.clone().into_iter().take(Gates::IMPORTS as usize) {
                    let export = export?;
                    if export.kind == ExternalKind::Func {
                        self.exports.push(name(export.name));
                    }
                }
            }
            Payload::ComponentExportSection(section) if outermost => {
                for export in section.clone().into_iter().take(Gates::IMPORTS as usize) {
                    self.exports.push(name(export?.name.name));
                }
            }
            Payload::FunctionSection(section) => self.functions += u64::from(section.count()),
            Payload::TableSection(section) => {
                self.tables += u64::from(section.count());
                for table in section.clone().into_iter().take(Gates::TABLES as usize) {
                    self.gate(table?.ty.initial, Gates::TABLE_ELEMENTS as u64, "elements in a table at the start");
                }
            }
            Payload::MemorySection(section) => {
                self.memories += u64::from(section.count());
                for memory in section.clone().into_iter().take(Gates::MEMORIES as usize) {
                    let pages = memory?.initial;
                    self.gate(
                        pages.saturating_mul(64 << 10),
                        Gates::MEMORY_BYTES as u64,
                        "bytes of memory at the start",
                    );
                }
            }
            Payload::DataSection(section) => self.segments += u64::from(section.count()),
            Payload::ElementSection(section) => self.segments += u64::from(section.count()),
            Payload::InstanceSection(section)
                if self.gate(section.count(), 4 * Gates::CORE_INSTANCES, "core instances") =>
            {
                for instance in section.clone() {
                    self.core_instances += u64::from(matches!(instance?, Instance::Instantiate { .. }));
                }
            }
            Payload::CodeSectionEntry(body) => self.count_body(body)?,
            Payload::CustomSection(section) => self.count_custom(section, outermost),
            _ => {}
        }
        Ok(())
    }

    fn count_import(&mut self, ty: &TypeRef) {
        match ty {
            TypeRef::Memory(memory) => {
                self.gate(
                    memory.initial.saturating_mul(64 << 10),
                    Gates::MEMORY_BYTES as u64,
                    "bytes of memory at the start",
                );
            }
            TypeRef::Table(table) => {
                self.gate(table.initial, Gates::TABLE_ELEMENTS as u64, "elements in a table at the start");
            }
            TypeRef::Func(_) | TypeRef::FuncExact(_) | TypeRef::Global(_) | TypeRef::Tag(_) => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "of hundreds of operators, these few nest")]
    fn count_body(&mut self, body: &FunctionBody<'_>) -> Result<(), BinaryReaderError> {
        let bytes = (body.range().end - body.range().start) as u64;
        self.largest_function_bytes = self.largest_function_bytes.max(bytes);
        if bytes > Gates::BODY_BYTES {
            return Ok(());
        }
        let mut open: Vec<bool> = Vec::new();
        let mut loops = 0_usize;
        for operator in body.get_operators_reader()? {
            match operator? {
                Operator::Loop { .. } => {
                    open.push(true);
                    loops += 1;
                }
                Operator::Block { .. } | Operator::If { .. } | Operator::TryTable { .. } | Operator::Try { .. } => {
                    open.push(false);
                }
                Operator::End => loops -= usize::from(open.pop() == Some(true)),
                _ => {}
            }
            if open.len() > Gates::BLOCK_DEPTH {
                self.problem(format!("nests blocks deeper than {} in a function", Gates::BLOCK_DEPTH));
                return Ok(());
            }
            if loops > Gates::LOOP_DEPTH {
                self.problem(format!("nests loops deeper than {} in a function", Gates::LOOP_DEPTH));
                return Ok(());
            }
        }
        Ok(())
    }

    fn count_custom(&mut self, section: &CustomSectionReader<'_>, outermost: bool) {
        if outermost && section.name().starts_with("component-type") {
            self.has_component_type = true;
        }
        if let Some(language) = Language::of_section(section.name()).filter(|_| outermost) {
            self.source = Some(language);
            self.judge_source(section.data());
        }
        let KnownCustom::Producers(fields) = section.as_known() else { return };
        // A producers section is a hint and may be malformed without consequence.
        for field in fields.into_iter().flatten().take(8) {
            for value in field.values.into_iter().flatten().take(16) {
                self.producers.push(name(value.name));
            }
        }
        self.producers.truncate(256);
    }

    fn judge_source(&mut self, text: &[u8]) {
        if text.len() > MAX_SOURCE_BYTES {
            let (size, most) = (ByteSize(text.len() as u64), ByteSize(MAX_SOURCE_BYTES as u64));
            self.problem(format!("is a source of {size}; the limit is {most}"));
        } else if text.trim_ascii().is_empty() {
            self.problem("is an empty source: write a handler".to_owned());
        } else if let Err(error) = std::str::from_utf8(text) {
            self.problem(format!("is a source that is not UTF-8 at byte {}", error.valid_up_to()));
        }
    }

    /// The verdict on the sums.
    fn judge(&mut self) {
        self.gate(self.functions, Gates::FUNCTIONS, "functions");
        self.gate(self.largest_function_bytes, Gates::BODY_BYTES, "bytes of code in one function");
        self.gate(self.segments, Gates::SEGMENTS, "data and element segments");
        self.gate(self.modules, Gates::MODULES, "core modules");
        self.gate(self.core_instances, u64::from(Gates::CORE_INSTANCES), "core instances");
        self.gate(self.memories, u64::from(Gates::MEMORIES), "memories");
        self.gate(self.tables, u64::from(Gates::TABLES), "tables");
    }

    /// Whether `count` is within its bound; if not, that becomes a problem.
    fn gate<N: PartialOrd + std::fmt::Display>(&mut self, count: N, bound: N, what: &str) -> bool {
        let fits = count <= bound;
        if !fits {
            self.problem(format!("has {count} {what}; the limit is {bound}"));
        }
        fits
    }

    /// Records a problem once, however often it occurs.
    fn problem(&mut self, problem: String) {
        if self.problems.len() < 64 && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

fn name(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_NAME_BYTES);
    text.get(..end).unwrap_or_default().to_owned()
}
