//! Artifacts too large or too many to be files: each is one way to make compiling or instantiating costly.

use std::fmt::Write as _;

use crate::support::guest;

/// A module with one section of raw bytes after its header.
pub(crate) fn section(id: u8, contents: &[u8]) -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    push_section(&mut module, id, contents);
    module
}

/// A command whose only function has this code, `end` included; assembled by hand, for code that no text parser nests.
fn code(locals: &[u8], code: &[u8]) -> Vec<u8> {
    bodies(1, &[locals, code].concat())
}

/// A command with `count` functions of this one body, the first of them `_start`.
fn bodies(count: usize, body: &[u8]) -> Vec<u8> {
    let (mut declared, mut size) = (Vec::new(), Vec::new());
    push_leb(&mut declared, count);
    push_leb(&mut size, body.len());
    let code = [declared.as_slice(), &[size.as_slice(), body].concat().repeat(count)].concat();
    declared.extend(std::iter::repeat_n(0, count));
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    push_section(&mut module, 1, &[1, 0x60, 0, 0]);
    push_section(&mut module, 3, &declared);
    push_section(&mut module, 5, &[1, 0, 1]);
    push_section(&mut module, 7, b"\x02\x06_start\0\0\x06memory\x02\0");
    push_section(&mut module, 10, &code);
    module
}

/// `count` blocks that begin with `open`, inside one another.
pub(crate) fn nested(open: u8, count: usize) -> Vec<u8> {
    let mut instructions = [open, 0x40].repeat(count);
    instructions.extend(std::iter::repeat_n(0x0b, count + 1));
    code(&[0], &instructions)
}

/// One function that calls itself `count` times in a row.
pub(crate) fn calls(count: usize) -> Vec<u8> {
    let mut instructions = [0x10, 0].repeat(count);
    instructions.push(0x0b);
    code(&[0], &instructions)
}

/// A command with `count` functions that do nothing.
pub(crate) fn functions(count: usize) -> Vec<u8> {
    bodies(count, &[0, 0x0b])
}

/// A `br_table` with `count` targets.
pub(crate) fn branches(count: usize) -> Vec<u8> {
    let mut instructions = vec![0x41, 0, 0x0e];
    push_leb(&mut instructions, count);
    instructions.extend(std::iter::repeat_n(0, count + 1));
    instructions.push(0x0b);
    code(&[0], &instructions)
}

/// A function with `count` locals.
pub(crate) fn locals(count: usize) -> Vec<u8> {
    code(&declared_locals(count), &[0x0b])
}

/// 200 functions with 50,000 locals each.
pub(crate) fn functions_with_many_locals() -> Vec<u8> {
    bodies(200, &[declared_locals(50_000), vec![0x0b]].concat())
}

fn declared_locals(count: usize) -> Vec<u8> {
    let mut declared = vec![1];
    push_leb(&mut declared, count);
    declared.push(0x7f);
    declared
}

/// A command whose memory begins with `bytes` bytes of data.
pub(crate) fn data(bytes: usize) -> Vec<u8> {
    let mut pages = vec![1, 0];
    push_leb(&mut pages, bytes / (64 << 10) + 1);
    let mut segment = vec![1, 0, 0x41, 0, 0x0b];
    push_leb(&mut segment, bytes);
    segment.extend(std::iter::repeat_n(b'x', bytes));
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    push_section(&mut module, 1, &[1, 0x60, 0, 0]);
    push_section(&mut module, 3, &[1, 0]);
    push_section(&mut module, 5, &pages);
    push_section(&mut module, 7, b"\x02\x06_start\0\0\x06memory\x02\0");
    push_section(&mut module, 10, &[1, 2, 0, 0x0b]);
    push_section(&mut module, 11, &segment);
    module
}

/// `count` values on the operand stack at once.
pub(crate) fn values(count: usize) -> Vec<u8> {
    let mut instructions = [0x41, 0].repeat(count);
    instructions.extend(std::iter::repeat_n(0x1a, count));
    instructions.push(0x0b);
    code(&[0], &instructions)
}

/// A command with `count` imports of one function.
pub(crate) fn imports(count: usize) -> Vec<u8> {
    let mut fields = String::new();
    (0..count).for_each(|at| write!(fields, "(import \"env\" \"f{at}\" (func))").unwrap());
    command(&fields)
}

/// A command with `count` functions, memories or tables.
pub(crate) fn times(count: usize, field: &str) -> Vec<u8> {
    command(&field.repeat(count))
}

/// A command with these fields besides.
pub(crate) fn command(fields: &str) -> Vec<u8> {
    guest::binary(&format!("(module {fields} (memory (export \"memory\") 1) (func (export \"_start\")))"))
}

/// Components inside one another; the text's parser nests less deep.
pub(crate) fn nested_components(count: usize) -> Vec<u8> {
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    for _ in 0..count {
        let mut outer = b"\0asm\x0d\0\x01\0".to_vec();
        push_section(&mut outer, 4, &component);
        component = outer;
    }
    component
}

/// A code node with `count` core instances of one module with one memory.
pub(crate) fn instances(count: usize) -> Vec<u8> {
    instances_of("(memory 1)", count)
}

/// A code node with `count` core instances of a module with these fields.
pub(crate) fn instances_of(fields: &str, count: usize) -> Vec<u8> {
    let instances = "(core instance (instantiate $m))".repeat(count);
    guest::binary(&format!("(component (core module $m {fields}) {instances} {HANDLE})"))
}

/// A chain of component types, each a list of the one before.
pub(crate) fn type_chain(count: usize) -> Vec<u8> {
    let mut types = String::from("(type $t0 (list u8))");
    (1..count).for_each(|at| write!(types, "(type $t{at} (list $t{}))", at - 1).unwrap());
    guest::binary(&format!("(component {types} {HANDLE})"))
}

const HANDLE: &str = r#"(core module $core
    (memory (export "memory") 1)
    (data (i32.const 0) "\00\00\00\00\10\00\00\00\21\00\00\00\00\00\00\00{\"status\":true,\"response\":[\"ok\"]}")
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
    (func (export "handle") (param i32 i32) (result i32) i32.const 0))
  (core instance $guest (instantiate $core))
  (func (export "handle") (param "event" string) (result (result string (error string)))
    (canon lift (core func $guest "handle") (memory $guest "memory") (realloc (func $guest "cabi_realloc"))))"#;

/// The component around a core module that exports `handle`, `memory` and `cabi_realloc`.
pub(crate) fn component_around(core: &[u8]) -> Vec<u8> {
    let shell = guest::named("answers");
    assert_eq!(shell[8], 1, "the shell begins with its core module");
    let (size, digits) = leb_at(&shell, 9);
    let mut component = shell[..8].to_vec();
    push_section(&mut component, 1, core);
    component.extend_from_slice(&shell[9 + digits + size..]);
    component
}

fn leb_at(bytes: &[u8], at: usize) -> (usize, usize) {
    let length = bytes[at..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    let digits = bytes[at..at + length].iter().rev();
    (digits.fold(0, |value, byte| value << 7 | usize::from(byte & 0x7f)), length)
}

fn push_section(module: &mut Vec<u8>, id: u8, contents: &[u8]) {
    module.push(id);
    push_leb(module, contents.len());
    module.extend_from_slice(contents);
}

fn push_leb(bytes: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}
