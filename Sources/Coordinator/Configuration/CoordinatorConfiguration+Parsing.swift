internal import Documents
internal import FoundationEssentials

extension CoordinatorConfiguration {
    private static let keys = [
        "listen", "state", "name", "profiles", "tokens", "parliament", "trust_threshold", "cooldown", "ledger",
        "notify", "limits",
    ]

    /// Reads `coordinator.yaml`.
    ///
    /// - Parameters:
    ///   - file: the name used in problems.
    ///   - text: the file's content.
    ///   - state: the state directory when the file names none.
    /// - Returns: the whole configuration, defaults filled in.
    /// - Throws: `Problems` with everything that is wrong with it.
    public static func parse(file: String, text: String, state: String) throws -> CoordinatorConfiguration {
        let reader = DocumentReader(file: file, text: text)
        var result = CoordinatorConfiguration(state: state)
        if let root = reader.root, !root.isNull, let top = root.mapping(keys: keys) {
            if let field = top["listen"], let value = field.string() {
                if let (host, port) = address(value) {
                    (result.host, result.port) = (host, port)
                } else {
                    field.problem("expected an address such as 127.0.0.1:8420, found “\(value.prefix(60))”.")
                }
            }
            if let value = top["state"]?.text() { result.state = value }
            if let field = top["name"], let value = field.text() {
                if value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "+") }) {
                    result.name = value
                } else {
                    field.problem(
                        "expected a name of printable ASCII without spaces and “+”, since it names the ledger.")
                }
            }
            if let value = top["profiles"]?.strings() { result.profiles = value }
            if let items = top["tokens"]?.list() { result.tokens = items.compactMap(token) }
            if let field = top["parliament"] { result.parliament = parliament(field) }
            if let field = top["trust_threshold"], let value = share(field) { result.trustThreshold = value }
            if let value = top["cooldown"]?.span() { result.cooldown = value.seconds }
            if let members = top["ledger"]?.mapping(keys: ["public"]), let value = members["public"]?.boolean() {
                result.publicLedger = value
            }
            if let items = top["notify"]?.list() { result.hooks = items.compactMap(hook) }
            if let members = top["limits"]?.mapping(keys: ["body", "blob"]) {
                if let field = members["body"], let size = limit(field) { result.bodyLimit = size }
                if let field = members["blob"], let size = limit(field) { result.blobLimit = size }
            }
        }
        var seen: Set<Digest> = []
        for token in result.tokens where !seen.insert(token.sha256).inserted {
            reader.report(
                line: nil, path: "tokens",
                "the token \(token.sha256.short)… stands there twice; give each principal its own.")
        }
        try reader.finish()
        return result
    }

    private static func limit(_ field: Field) -> Int? {
        guard let size = field.size() else { return nil }
        guard (1024...(1 << 32)).contains(size.bytes) else {
            field.problem("expected a size from 1Ki to 4Gi, found \(size).")
            return nil
        }
        return Int(size.bytes)
    }

    private static func share(_ field: Field) -> Double? {
        guard let ratio = field.ratio() else { return nil }
        guard !ratio.isPercentagePoints, (0...1).contains(ratio.fraction) else {
            field.problem("expected a share from 0 to 1 (0% to 100%).")
            return nil
        }
        return ratio.fraction
    }

    private static func token(_ field: Field) -> ConfiguredToken? {
        guard let members = field.mapping(keys: ["principal", "role", "sha256"]) else { return nil }
        for key in ["principal", "role", "sha256"] where members[key] == nil {
            field.problem("the key “\(key)” is missing.")
        }
        guard let principal = members["principal"]?.text(),
            let role = members["role"]?.choice(Role.allCases.map(\.rawValue)).flatMap(Role.init),
            let hex = members["sha256"]?.text()
        else { return nil }
        guard let digest = Digest(hex: hex) else {
            members["sha256"]?.problem(
                "expected the SHA-256 of the token, 64 lower-case hexadecimal digits (never the token itself).")
            return nil
        }
        return ConfiguredToken(principal: principal, role: role, sha256: digest)
    }

    private static func parliament(_ field: Field) -> ParliamentSettings {
        var result = ParliamentSettings()
        guard let members = field.mapping(keys: ["electorate", "groups", "approval_threshold", "quorum", "expires"])
        else {
            return result
        }
        if let value = members["electorate"]?.strings() { result.electorate = value }
        if let groups = members["groups"]?.mapping() { result.groups = groups.compactMapValues { $0.strings() } }
        if let field = members["approval_threshold"], let value = share(field) {
            if value > 0 {
                result.approvalThreshold = value
            } else {
                field.problem("expected more than 0: nobody's approval would do.")
            }
        }
        if let value = members["quorum"]?.integer(in: 1...10_000) { result.quorum = Int(value) }
        if let field = members["expires"], let value = field.span() {
            if (1...(30 * 86400)).contains(value.seconds) {
                result.expires = value.seconds
            } else {
                field.problem("expected a time from 1s to 720h.")
            }
        }
        return result
    }

    private static func hook(_ field: Field) -> HookSettings? {
        guard let members = field.mapping(keys: ["webhook", "command", "events"]) else { return nil }
        var events = Set(NoticeKind.allCases)
        if let list = members["events"]?.list() {
            events = Set(list.compactMap { $0.choice(NoticeKind.allCases.map(\.rawValue)).flatMap(NoticeKind.init) })
        }
        switch (members["webhook"], members["command"]) {
        case (let url?, nil):
            guard let text = url.text() else { return nil }
            guard text.hasPrefix("https://") || text.hasPrefix("http://") else {
                url.problem("expected an http:// or https:// URL.")
                return nil
            }
            return HookSettings(target: .webhook(text), events: events)
        case (nil, let command?):
            guard let words = command.strings() else { return nil }
            guard let first = words.first, first.hasPrefix("/") else {
                command.problem("expected a list that begins with the absolute path of an executable.")
                return nil
            }
            return HookSettings(target: .command(words), events: events)
        default:
            field.problem("expected exactly one of webhook and command.")
            return nil
        }
    }
}
