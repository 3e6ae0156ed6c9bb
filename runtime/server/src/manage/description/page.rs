//! The document as a page: everything in one piece, for a browser that can reach nothing but this server.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// All of its looks; the page's headers allow this text and no other.
pub(super) const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
code{font-family:ui-monospace,monospace;font-size:.9em;overflow-wrap:anywhere}\
section section{border-top:1px solid #8884;padding:.5rem 0}\
table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0}\
th{font-weight:600}";

/// The whole page.
pub(super) fn write(document: &Value) -> String {
    let info = &document["info"];
    let title = format!("{} {}", text(&info["title"]), text(&info["version"]));
    let mut page = Page::default();
    page.raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    page.raw("<meta name=\"viewport\" content=\"width=device-width\">");
    page.element("title", &title);
    page.raw("<style>").raw(STYLE).raw("</style></head><body>");
    page.element("h1", &title).element("p", text(&info["description"]));
    page.raw("<p>For programs: <a href=\"openapi.json\">openapi.json</a></p>");
    let tags = by_tag(document);
    page.raw("<nav><ul>");
    for operation in tags.values().flatten() {
        page.raw("<li>").link(&format!("operation-{}", operation.id()), &operation.line());
        page.raw(" ").text(text(&operation.value["summary"])).raw("</li>");
    }
    page.raw("</ul></nav>");
    for (tag, operations) in &tags {
        page.raw("<section>").element("h2", tag);
        operations.iter().for_each(|operation| page.operation(operation, document));
        page.raw("</section>");
    }
    page.raw("<section>").element("h2", "Schemas");
    for (name, schema) in fields(at(document, "/components/schemas")) {
        page.schema(name, schema);
    }
    page.raw("</section></body></html>\n");
    page.0
}

/// One method of a path.
struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    value: &'a Value,
}

impl Operation<'_> {
    fn id(&self) -> &str {
        text(&self.value["operationId"])
    }

    fn line(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }
}

/// HTML. Only [`Page::raw`] takes it as it is, and only from this file.
#[derive(Default)]
struct Page(String);

impl Page {
    fn operation(&mut self, operation: &Operation<'_>, document: &Value) {
        let value = operation.value;
        self.raw("<section id=\"operation-").text(operation.id()).raw("\"><h3><code>");
        self.text(&operation.line()).raw("</code></h3>");
        self.element("p", text(&value["summary"])).element("p", text(&value["description"]));
        let parameters = value["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !parameters.is_empty() {
            self.raw("<table><tr><th>parameter</th><th>in</th><th>type</th><th></th></tr>");
            for parameter in parameters {
                self.raw("<tr><td><code>").text(text(&parameter["name"])).raw("</code></td><td>");
                self.text(text(&parameter["in"])).raw("</td><td>").kind(&parameter["schema"]).raw("</td><td>");
                self.text(text(&parameter["description"])).raw("</td></tr>");
            }
            self.raw("</table>");
        }
        for (media_type, content) in fields(at(value, "/requestBody/content")) {
            self.raw("<p>Body: <code>").text(media_type).raw("</code>, ").kind(&content["schema"]).raw("</p>");
        }
        self.raw("<table><tr><th>status</th><th></th><th>body</th></tr>");
        for (status, answer) in fields(&value["responses"]) {
            let shared = answer["$ref"].as_str().and_then(|target| document.pointer(target.strip_prefix('#')?));
            let answer = shared.unwrap_or(answer);
            self.raw("<tr><td>").text(status).raw("</td><td>").text(text(&answer["description"])).raw("</td><td>");
            for (media_type, content) in fields(&answer["content"]) {
                self.raw("<code>").text(media_type).raw("</code>, ").kind(&content["schema"]).raw(" ");
            }
            self.raw("</td></tr>");
        }
        self.raw("</table></section>");
    }

    fn schema(&mut self, name: &str, schema: &Value) {
        self.raw("<section id=\"schema-").text(name).raw("\"><h3><code>").text(name).raw("</code></h3>");
        self.element("p", text(&schema["description"]));
        let parts = schema["allOf"].as_array().map_or(std::slice::from_ref(schema), Vec::as_slice);
        for part in parts {
            if let Some(properties) = part.get("properties") {
                self.properties(properties, &part["required"]);
            } else {
                self.raw("<p>").kind(part).raw("</p>");
            }
        }
        self.raw("</section>");
    }

    fn properties(&mut self, properties: &Value, required: &Value) {
        self.raw("<table><tr><th>field</th><th>type</th><th></th><th></th></tr>");
        for (name, property) in fields(properties) {
            let is_required = required.as_array().is_some_and(|names| names.iter().any(|known| known == name));
            self.raw("<tr><td><code>").text(name).raw("</code></td><td>").kind(property).raw("</td><td>");
            self.text(if is_required { "always" } else { "" }).raw("</td><td>");
            self.text(about(property)).raw("</td></tr>");
        }
        self.raw("</table>");
    }

    /// What a value may be, in a few words, with links to what has a name.
    fn kind(&mut self, schema: &Value) -> &mut Self {
        if let Some(name) = schema["$ref"].as_str().and_then(|target| target.strip_prefix("#/components/schemas/")) {
            return self.link(&format!("schema-{name}"), name);
        }
        if let Some(values) = schema["enum"].as_array() {
            return self.joined(values, |page, value| {
                page.raw("<code>").text(&value.to_string()).raw("</code>");
            });
        }
        if let Some(kinds) = schema["oneOf"].as_array().or_else(|| schema["type"].as_array()) {
            return self.joined(kinds, |page, kind| {
                match kind.as_str() {
                    Some("array") => page.raw("list of ").kind(&schema["items"]),
                    Some(word) => page.text(word),
                    None => page.kind(kind),
                };
            });
        }
        match text(&schema["type"]) {
            "array" => self.raw("list of ").kind(&schema["items"]),
            "object" if schema["properties"].is_object() => {
                let properties: Vec<_> = fields(&schema["properties"]).collect();
                self.joined(&properties, |page, (name, property)| {
                    page.raw("{<code>").text(name).raw("</code>: ").kind(property).raw("}");
                })
            }
            "" => self.raw("anything"),
            word => self.text(word).text(&bounds(schema)),
        }
    }

    fn joined<T>(&mut self, items: &[T], write: impl Fn(&mut Self, &T)) -> &mut Self {
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.raw(" or ");
            }
            write(self, item);
        }
        self
    }

    fn element(&mut self, name: &'static str, content: &str) -> &mut Self {
        self.raw("<").raw(name).raw(">").text(content).raw("</").raw(name).raw(">")
    }

    fn link(&mut self, target: &str, content: &str) -> &mut Self {
        self.raw("<a href=\"#").text(target).raw("\"><code>").text(content).raw("</code></a>")
    }

    fn raw(&mut self, html: &'static str) -> &mut Self {
        self.0.push_str(html);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                other => self.0.push(other),
            }
        }
        self
    }
}

/// The operations under their tags, in the order of their paths.
fn by_tag(document: &Value) -> BTreeMap<&str, Vec<Operation<'_>>> {
    let mut tags: BTreeMap<&str, Vec<Operation<'_>>> = BTreeMap::new();
    for (path, item) in fields(&document["paths"]) {
        for (method, value) in fields(item) {
            tags.entry(text(at(value, "/tags/0"))).or_default().push(Operation { method, path, value });
        }
    }
    tags
}

/// Of what may be absent, the description stands at its first choice.
fn about(schema: &Value) -> &str {
    let at_choice = at(schema, "/oneOf/0/description");
    text(schema.get("description").unwrap_or(at_choice))
}

/// ` from 1 to 1000`, and the pattern of a text.
fn bounds(schema: &Value) -> String {
    let part = |word: &str, key: &str| schema.get(key).map(|bound| format!("{word}{bound}")).unwrap_or_default();
    let pattern = schema["pattern"].as_str().map(|pattern| format!(" like {pattern}")).unwrap_or_default();
    [part(" from ", "minimum"), part(" to ", "maximum"), pattern].concat()
}

fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().map(Map::iter).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        let evil = "</p><script>'\"&";
        let schema = json!({ "description": evil, "type": "object", "properties": { evil: { "enum": [evil], "description": evil } } });
        let document = json!({
            "info": { "title": evil, "version": "1", "description": evil },
            "components": { "schemas": { evil: schema } },
            "paths": { evil: { "get": {
                "tags": [evil], "operationId": evil, "summary": evil,
                "parameters": [{ "name": evil, "in": evil, "schema": { "type": "string", "pattern": evil } }],
                "responses": { "200": { "description": evil, "content": { evil: { "schema": { "$ref": format!("#/components/schemas/{evil}") } } } } },
            } } },
        });
        let page = write(&document);
        assert!(!page.contains("<script") && !page.contains("'\"&"), "{page}");
        assert!(page.contains("&lt;/p&gt;&lt;script&gt;&#39;&quot;&amp;"));
    }
}
