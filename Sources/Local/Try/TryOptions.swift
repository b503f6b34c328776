internal import Glibc
package import Linux

/// What was asked of `grace try`: the letters of binpash's `try`, read as getopts(1p) reads them.
package struct TryOptions: Equatable, Sendable {
    /// What becomes of the fork when the command has ended.
    package enum Ending: Equatable {
        /// Show what changed and ask.
        case ask
        /// `-n`: keep it and print where it lies.
        case keepAndPrint
        /// `-N DIR`: keep it.
        case keep
        /// `-y`: commit.
        case commit
    }
    package enum Action: Equatable {
        case run([String])
        case summary, commit, explore, propose
        case rollback(String)
        /// `-L DIR:DIR -N DIR` without a command.
        case merge
        case version, help
    }

    package var ending = Ending.ask
    package var withoutNetwork = false
    package var exclude: [String] = []
    package var include: [String] = []
    package var hide: [String] = []
    package var trace: String?
    package var directory: String?
    /// `-L`: directories of other forks that this one lies over, the first on top.
    package var lowers: [String] = []
    /// For `propose`: a mission file without a `change`.
    package var mission: String?
    package var action = Action.help

    /// Whether it ends with live changed.
    var commits: Bool { ending == .commit && isRun || action == .commit }
    private var isRun: Bool {
        switch action {
        case .run, .explore: true
        default: false
        }
    }

    /// Whether it needs more than a fork: live, a coordinator, or a person's answer about them.
    package var reachesBeyondTheFork: Bool {
        switch action {
        case .run, .explore: ending == .commit || ending == .ask
        case .commit, .propose, .rollback: true
        case .summary, .merge, .version, .help: false
        }
    }

    package static let usage = """
        Usage: grace try [-nvhyx] [-E PATTERN] [-I PATTERN] [-i PATH] [-t PATH] [-N DIR] [-L DIR:DIR...] CMD [ARG ...]

          -n           keep the fork and print its directory; neither ask nor commit (the last of -n and -y counts)
          -y           commit without asking
          -x           without network: a network namespace of its own with nothing in it
          -E PATTERN   leave paths that match the basic regular expression out of summary and commit; may be repeated
          -I PATTERN   only paths that match; may be repeated
          -i PATH      hide PATH from the command; may be repeated, needs root
          -t PATH      write which paths the command read and wrote to PATH (needs strace)
          -N DIR       keep the fork in DIR, an empty directory or one of an earlier grace try; implies -n, prints nothing
          -L DIR:DIR   run over what other forks changed, the first over the others; implies -n, prints nothing. Without CMD, and
                       with -N DIR, those changes together become the one of DIR
          -U PATH      taken for compatibility: no union helper is needed
          -v, -h       show the version; show this text

        CMD and its ARGs, joined by blanks, are a line for your shell (TRY_SHELL, SHELL or the login shell).

          grace try summary DIR            show what the fork in DIR changed; 1 where it changed nothing
          grace try commit DIR             bring it to live, all of it or nothing
          grace try explore [DIR]          a shell inside the fork, a new one without DIR
          grace try propose DIR MISSION    submit it as the change of MISSION, a mission file without `change`
          grace try rollback ID            take a commit back; the commit prints its ID

        Exit codes: the command's own; 1 when the fork or the commit was refused, 2 for wrong input, 125 when Grace failed.
        """

    /// - Throws: ``Failure`` with code 2.
    package static func parse(_ arguments: [String]) throws -> TryOptions {
        var options = TryOptions()
        if arguments.count == 2, arguments[0] == "rollback" {
            options.action = .rollback(arguments[1])
            return options
        }
        var rest = arguments[...]
        parsing: while let word = rest.first, word.hasPrefix("-"), word.count > 1 {
            rest = rest.dropFirst()
            if word == "--" { break }
            if word == "--help" {
                options.action = .help
                return options
            }
            var letters = word.dropFirst()
            while let letter = letters.first {
                letters = letters.dropFirst()
                func value() throws -> String {
                    if !letters.isEmpty {
                        defer { letters = "" }
                        return String(letters)
                    }
                    guard let next = rest.first else {
                        throw Failure("The option -\(letter) of grace try needs a value.\n\(usage)", code: 2)
                    }
                    rest = rest.dropFirst()
                    return next
                }
                switch letter {
                case "y": options.ending = .commit
                case "n": options.ending = .keepAndPrint
                case "x": options.withoutNetwork = true
                case "E": options.exclude.append(try value())
                case "I": options.include.append(try value())
                case "i": options.hide.append(try value())
                case "t": options.trace = try value()
                case "N":
                    options.directory = try value()
                    options.ending = .keep
                case "U":
                    let helper = try value()
                    guard access(helper, X_OK) == 0 else {
                        throw Failure("could not find executable union helper '\(helper)'", code: 2)
                    }
                case "L":
                    guard options.lowers.isEmpty else {
                        throw Failure("the -L option has been specified multiple times", code: 2)
                    }
                    options.lowers = try value().split(separator: ":").map(String.init)
                    options.ending = .keep
                case "v":
                    options.action = .version
                    return options
                case "h":
                    options.action = .help
                    return options
                default: throw Failure("grace try has no option -\(letter).\n\(usage)", code: 2)
                }
            }
        }
        if rest.isEmpty, options.directory != nil, !options.lowers.isEmpty {
            options.action = .merge
            return options
        }
        guard let first = rest.first else { throw Failure(usage, code: 2) }
        let isVerb = arguments.dropLast(rest.count).last != "--"
        let verbs: [String: Action] = [
            "summary": .summary, "commit": .commit, "explore": .explore, "propose": .propose,
        ]
        guard isVerb, let verb = verbs[first] else {
            options.action = .run(Array(rest))
            return options
        }
        options.action = verb
        options.directory = options.directory ?? rest.dropFirst().first
        options.mission = rest.dropFirst(2).first
        if verb == .propose, options.mission == nil {
            throw Failure(
                "Name the mission file, which says everything but `change`: grace try propose DIR MISSION.", code: 2)
        }
        guard options.directory != nil || verb == .explore else {
            throw Failure("Name the directory: grace try \(first) DIR.", code: 2)
        }
        return options
    }
}

/// Paths by basic regular expressions, as `grep` has them (regcomp(3)).
package final class PathFilter {
    private var include: [regex_t] = []
    private var exclude: [regex_t] = []

    package init(include: [String], exclude: [String]) throws {
        self.include = try include.map(Self.compile)
        self.exclude = try exclude.map(Self.compile)
    }

    deinit {
        for index in include.indices { regfree(&include[index]) }
        for index in exclude.indices { regfree(&exclude[index]) }
    }

    package func isWanted(_ path: BytePath) -> Bool {
        (include.isEmpty || include.contains { Self.matches($0, path) }) && !exclude.contains { Self.matches($0, path) }
    }

    private static func compile(_ pattern: String) throws -> regex_t {
        var compiled = regex_t()
        let code = regcomp(&compiled, pattern, REG_NOSUB)
        guard code == 0 else {
            var text = [CChar](repeating: 0, count: 200)
            regerror(code, &compiled, &text, text.count)
            let reason = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw Failure("“\(pattern)” is no basic regular expression: \(reason).", code: 2)
        }
        return compiled
    }

    private static func matches(_ pattern: regex_t, _ path: BytePath) -> Bool {
        var pattern = pattern
        let bytes = path.bytes.map { CChar(bitPattern: $0) } + [0]
        return regexec(&pattern, bytes, 0, nil, 0) == 0
    }
}
