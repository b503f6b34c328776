internal import Glibc

/// Where everything of Grace's lies on a host; each can be moved by an environment variable or a flag, so that tests and
/// unprivileged users never touch the system's.
public struct Places: Sendable, Equatable {
    /// `GRACE_STATE_DIR`, `/var/lib/grace`.
    public var state: String
    /// `GRACE_CONFIG_DIR`, `/etc/grace`.
    public var configuration: String
    /// `GRACE_RUNTIME_DIR`, `/run/grace`.
    public var runtime: String

    public init(state: String, configuration: String, runtime: String) {
        self.state = state
        self.configuration = configuration
        self.runtime = runtime
    }

    public init(environment: [String: String]) { self.init { environment[$0] } }

    /// `variable` looks one up in the environment.
    public init(variable: (String) -> String?) {
        self.init(
            state: variable("GRACE_STATE_DIR") ?? "/var/lib/grace",
            configuration: variable("GRACE_CONFIG_DIR") ?? "/etc/grace",
            runtime: variable("GRACE_RUNTIME_DIR") ?? "/run/grace")
    }

    /// Paths that no mission may touch and no sandbox may see.
    public var all: [String] { [state, configuration, runtime] }

    public var agentState: String { state + "/agent" }
    public var missions: String { agentState + "/missions" }
    public var journal: String { agentState + "/journal" }
    /// The coordinator's ledger key as the agent first saw it; another one is refused from then on.
    public var pinnedLedgerKey: String { agentState + "/ledger.pub" }
    public var agentKey: String { agentState + "/agent.key" }
    public var forks: String { state + "/forks" }
    public var promotions: String { state + "/promotions" }
    public var blobs: String { state + "/blobs" }
    public var coordinatorState: String { state + "/coordinator" }
    public var scratch: String { state + "/scratch" }
    /// Present while the host is paused; holds who paused it and why.
    public var pauseFile: String { agentState + "/paused" }
    /// As ``pauseFile``, but put there and taken away by root on the host alone.
    public var localPauseFile: String { agentState + "/paused.local" }

    public var agentFile: String { configuration + "/agent.yaml" }
    public var coordinatorFile: String { configuration + "/coordinator.yaml" }
    public var governanceFile: String { configuration + "/governance.yaml" }
    public var constitutionFile: String { configuration + "/constitution.yaml" }
    public var approversFile: String { configuration + "/approvers.yaml" }
    public var allowedSignersFile: String { configuration + "/allowed_signers" }
    /// Compiled system-call filters, for programs that run in one sandbox and end.
    public var filters: String { runtime + "/filters" }
    /// As ``filters``, for everybody: without root, below `XDG_RUNTIME_DIR`, where `runtime` is root's.
    public var ownFilters: String {
        guard geteuid() != 0, runtime == "/run/grace", let own = Processes.variable("XDG_RUNTIME_DIR") else {
            return filters
        }
        return own + "/grace/filters"
    }
    public var profiles: String { configuration + "/profiles.d" }
    public var detectors: String { configuration + "/detectors.d" }
    public var remedies: String { configuration + "/remedies.d" }
}
