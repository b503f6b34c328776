import ArgumentParser
import Linux
import Local

/// Where Grace's files lie; flags win over `GRACE_STATE_DIR`, `GRACE_CONFIG_DIR` and `GRACE_RUNTIME_DIR`.
struct PlacesOptions: ParsableArguments {
    @Option(help: "The state directory (/var/lib/grace).")
    var state: String?

    @Option(help: "The configuration directory (/etc/grace).")
    var configDir: String?

    @Option(help: "The runtime directory (/run/grace).")
    var runtime: String?

    var places: Places {
        var places = Places(environment: Processes.currentEnvironment())
        if let state { places.state = state.absolute }
        if let configDir { places.configuration = configDir.absolute }
        if let runtime { places.runtime = runtime.absolute }
        return places
    }
}
