use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use model::Reply;
use serde_json::{Value, json};

use crate::delivery::Signing;
use crate::event::EventSource;
use crate::output;

/// The largest answer that is read; a reply's hard cap is below.
const MAX_ANSWER_BYTES: u64 = 8 << 20;

#[derive(clap::Args)]
pub(crate) struct Send {
    /// The webhook, such as http://127.0.0.1:8080/hooks/acme/order-status
    url: String,
    #[command(flatten)]
    event: EventSource,
    #[command(flatten)]
    signing: Signing,
    /// How long to wait; platforms wait 30 s
    #[arg(long, default_value = "30s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Print status, headers and body of the answer as one JSON object
    #[arg(long)]
    json: bool,
}

/// The parts of an answer that a platform, or a person, looks at.
struct Answer {
    status: u16,
    run: Option<String>,
    cause: Option<String>,
    body: String,
    time: Duration,
}

impl Send {
    /// Exit code 0 for an answer with status 200, 1 for any other.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let event = self.event.read()?;
        let answer = self.post(&event)?;
        let mut out = anstream::stdout();
        if self.json {
            let body = serde_json::from_str(&answer.body).unwrap_or_else(|_| Value::from(answer.body.as_str()));
            let micros = u64::try_from(answer.time.as_micros()).unwrap_or(u64::MAX);
            let Answer { status, run, cause, .. } = &answer;
            writeln!(
                out,
                "{}",
                json!({ "status": status, "run": run, "break": cause, "micros": micros, "body": body })
            )?;
        } else {
            show(&mut out, &answer)?;
        }
        Ok(if answer.status == 200 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn post(&self, event: &[u8]) -> anyhow::Result<Answer> {
        if !self.url.starts_with("http://") && !self.url.starts_with("https://") {
            bail!("`{}` is no webhook's URL: it begins with http:// or https://", self.url);
        }
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(self.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .into();
        let mut request = agent.post(&self.url).header("content-type", "application/json");
        for (name, value) in self.signing.headers(event)? {
            request = request.header(name, value);
        }
        let started = Instant::now();
        let mut response =
            request.send(event).with_context(|| format!("{} did not answer; is codenode serving there?", self.url))?;
        let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string();
        let body = body.with_context(|| format!("the answer of {} broke off", self.url))?;
        let time = started.elapsed();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (run, cause) = (header("x-codenode-run"), header("x-codenode-break"));
        Ok(Answer { status: response.status().as_u16(), run, cause, body, time })
    }
}

fn show(out: &mut impl std::io::Write, answer: &Answer) -> std::io::Result<()> {
    let Answer { status, run, cause, body, time } = answer;
    writeln!(
        out,
        "{status} in {:.1} ms{}",
        time.as_secs_f64() * 1e3,
        run.as_ref().map_or(String::new(), |run| format!(", run {run}"))
    )?;
    if let Some(cause) = cause {
        writeln!(out, "bot break: {cause}")?;
    }
    match Reply::parse(body.clone()) {
        Ok(reply) => output::chat(out, &reply),
        Err(_) => writeln!(out, "{}", output::printable(body)),
    }
}
