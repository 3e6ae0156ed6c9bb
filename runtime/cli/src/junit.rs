//! Reports as build servers read them: the XML that JUnit made common.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use crate::test::Tested;

/// A report on a project's events.
///
/// # Errors
/// Writing to memory has none of its own.
pub(crate) fn report(name: &str, all: &[Tested]) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let (tests, failures) = (all.len().to_string(), all.iter().filter(|tested| !tested.passed()).count().to_string());
    let time: f64 = all.iter().map(|tested| tested.time().as_secs_f64()).sum();
    let suite = writer.create_element("testsuite").with_attributes([
        ("name", name),
        ("tests", tests.as_str()),
        ("failures", failures.as_str()),
        ("time", format!("{time:.6}").as_str()),
    ]);
    suite.write_inner_content(|writer| all.iter().try_for_each(|tested| case(writer, name, tested)))?;
    let mut report = writer.into_inner();
    report.push(b'\n');
    Ok(report)
}

fn case(writer: &mut Writer<Vec<u8>>, name: &str, tested: &Tested) -> io::Result<()> {
    let time = format!("{:.6}", tested.time().as_secs_f64());
    let event = clean(&tested.case.name);
    let case = writer.create_element("testcase").with_attributes([
        ("classname", name),
        ("name", event.as_str()),
        ("time", time.as_str()),
    ]);
    if tested.passed() {
        case.write_empty()?;
        return Ok(());
    }
    let (problem, log) = (clean(tested.problem()), clean(&tested.log()));
    case.write_inner_content(|writer| {
        let failure = writer.create_element("failure").with_attribute(("message", "not as expected"));
        failure.write_text_content(BytesText::new(&problem))?;
        if !log.is_empty() {
            writer.create_element("system-out").write_text_content(BytesText::new(&log))?;
        }
        Ok(())
    })?;
    Ok(())
}

/// Without the characters that XML 1.0 has no way to write.
fn clean(text: &str) -> String {
    let is_xml = |character: char| matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|character| if is_xml(character) { character } else { '\u{fffd}' }).collect()
}
