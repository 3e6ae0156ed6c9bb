use std::io::Write as _;
use std::process::ExitCode;

use model::TenantId;
use serde_json::json;

use crate::remote::{self, Address, Client, DEFAULT_SERVER, Login as Kept};

#[derive(clap::Args)]
pub(crate) struct Login {
    /// The server's management side
    #[arg(env = "CODENODE_SERVER", default_value = DEFAULT_SERVER)]
    url: Address,
    /// The tenant that commands are about where no other is named
    #[arg(long, value_name = "ID")]
    tenant: Option<TenantId>,
    /// Print what was kept, without the key, as one JSON object
    #[arg(long)]
    json: bool,
}

impl Login {
    /// Keeps a key only if the server takes it.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { url, tenant, json } = self;
        let key = remote::secret("the key")?.trim().to_owned();
        let client = Client::new(url.clone(), &key, tenant.clone(), json, String::new())?;
        client.get("/v1/nodes")?;
        if let Some(tenant) = &tenant
            && let Err(error) = client.get(&client.of_tenant("")?)
        {
            // A tenant of the configuration file is not stored, and has runs and logs all the same.
            eprintln!("warning: about the tenant {tenant}: {error:#}");
        }
        let path = Kept { server: url.to_string(), key, tenant: tenant.clone() }.write()?;
        let mut out = anstream::stdout();
        if json {
            writeln!(out, "{}", json!({ "server": url.as_str(), "tenant": tenant, "file": path }))?;
        } else {
            let about = tenant.map_or(String::new(), |tenant| format!(", tenant {tenant}"));
            writeln!(out, "{url} takes this key{about}; it is kept in {}", path.display())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
