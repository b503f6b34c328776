package import ArgumentParser
package import Linux

/// Where Grace's files lie; flags win over `GRACE_STATE_DIR`, `GRACE_CONFIG_DIR` and `GRACE_RUNTIME_DIR`.
package struct PlacesOptions: ParsableArguments {
    package init() {}

    @Option(help: "The state directory (/var/lib/grace).")
    package var state: String?

    @Option(help: "The configuration directory (/etc/grace).")
    package var configDir: String?

    @Option(help: "The runtime directory (/run/grace).")
    package var runtime: String?

    package var places: Places {
        var places = Places(environment: Processes.currentEnvironment())
        if let state { places.state = state.absolute }
        if let configDir { places.configuration = configDir.absolute }
        if let runtime { places.runtime = runtime.absolute }
        return places
    }
}

extension String {
    /// This path, from the root.
    package var absolute: String {
        hasPrefix("/") ? self : (Processes.currentEnvironment()["PWD"] ?? "/") + "/" + self
    }
}
