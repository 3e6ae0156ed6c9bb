# One worker on one socket, whose address is given by `--socket-addr http=…`.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [ (name = "main", worker = .worker) ],
  sockets = [ (name = "http", http = (), service = "main") ],
);

const worker :Workerd.Worker = (
  modules = [ (name = "worker", esModule = embed "worker.js") ],
  bindings = [ (name = "SECRET", fromEnvironment = "SECRET") ],
  compatibilityDate = "2026-11-01",
);
