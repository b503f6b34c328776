package import Linux

/// What was asked of `grace run`.
package struct RunOptions: Equatable, Sendable {
    /// Where Grace's files lie.
    package var places: Places
    /// The sandbox profile's name.
    package var profile = "strict"
    /// Directories of profiles, searched first.
    package var profiles: [String] = []
    /// Names of features to do without where the host can't give them.
    package var without: [String] = []
    /// A file that the run's figures are written to as JSON.
    package var kpi: String?
    /// Whether they are printed to standard error.
    package var json = false
    /// Whether no agent of this host is asked for one of its sandboxes.
    package var alone = false
    /// The command and its arguments.
    package var command: [String] = []

    package init(environment: (String) -> String?) { places = Places(variable: environment) }

    /// Reads a command line that is right: options (`--name value` or `--name=value`), `--`, the command. It takes no time, where a
    /// parser that can also explain what is wrong takes longer than most runs.
    ///
    /// - Returns: `nil` for everything that it does not understand, `--help` among it: that parser, in `grace-main`, is then asked.
    package static func parse(_ words: [String], environment: (String) -> String?) -> RunOptions? {
        var options = RunOptions(environment: environment)
        var rest = words[...]
        while let word = rest.popFirst() {
            if word == "--" {
                options.command = Array(rest)
                return options.command.isEmpty ? nil : options
            }
            if word == "--json" {
                options.json = true
                continue
            }
            if word == "--alone" {
                options.alone = true
                continue
            }
            guard word.hasPrefix("--") else { return nil }
            let equals = word.firstIndex(of: "=")
            let next = equals.map { String(word[word.index(after: $0)...]) } ?? rest.popFirst()
            // A value that looks like an option may have been forgotten.
            guard let value = next, equals != nil || !value.hasPrefix("-") else { return nil }
            switch String(word[..<(equals ?? word.endIndex)]) {
            case "--state": options.places.state = value.absolute
            case "--config-dir": options.places.configuration = value.absolute
            case "--runtime": options.places.runtime = value.absolute
            case "--profile": options.profile = value
            case "--profiles": options.profiles.append(value)
            case "--without": options.without.append(value)
            case "--kpi": options.kpi = value
            default: return nil
            }
        }
        return nil
    }
}
