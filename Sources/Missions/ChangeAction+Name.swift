extension ChangeAction {
    /// The keys of `change` in a mission file of which exactly one is written.
    public static let names = ["run", "files", "patch", "git"]

    /// The action's key in a mission file.
    public var name: String {
        switch self {
        case .run: "run"
        case .files: "files"
        case .patch: "patch"
        case .git: "git"
        }
    }
}

extension Workload {
    /// The keys of `workload` in a mission file of which exactly one is written.
    public static let names = ["http", "run"]

    /// The workload's key in a mission file.
    public var name: String {
        switch self {
        case .http: "http"
        case .run: "run"
        }
    }
}
