internal import Linux

extension String {
    /// This path, from the root.
    package var absolute: String {
        hasPrefix("/") ? self : (Processes.variable("PWD") ?? "/") + "/" + self
    }
}
