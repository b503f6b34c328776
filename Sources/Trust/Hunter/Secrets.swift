internal import Fork
internal import Glibc
internal import Linux

/// Finds secrets in a line of text.
enum Secrets {
    /// A secret and what kind it is. The value is only for comparison and is never shown.
    struct Hit: Hashable {
        var rule: HunterRule
        var kind: String
        var value: [UInt8]
    }

    private struct Token {
        var prefix: [UInt8]
        var least: Int
        var kind: String
        var extra: Set<UInt8>

        init(_ prefix: String, _ least: Int, _ kind: String, extra: String = "") {
            self.prefix = Array(prefix.utf8)
            self.least = least
            self.kind = kind
            self.extra = Set(extra.utf8)
        }
    }

    /// Prefixes that providers give their tokens so that they can be found, and the least number of characters after them.
    private static let tokens: [Token] =
        ["AKIA", "ASIA"].map { Token($0, 16, "AWS access key") }
        + ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"].map { Token($0, 36, "GitHub token") }
        + [Token("github_pat_", 22, "GitHub token", extra: "_"), Token("glpat-", 20, "GitLab token", extra: "-_")]
        + ["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-"].map { Token($0, 10, "Slack token", extra: "-") }
        + ["sk_live_", "rk_live_"].map { Token($0, 16, "Stripe key") }
        + [
            Token("AIza", 35, "Google API key", extra: "-_"), Token("npm_", 36, "npm token"),
            Token("pypi-AgEIcHlwaS5vcmc", 40, "PyPI token", extra: "-_"),
            Token("SG.", 40, "SendGrid key", extra: "-_."),
            Token("dop_v1_", 64, "DigitalOcean token"), Token("hvs.", 24, "Vault token", extra: "-_"),
        ]

    static func find(in line: ArraySlice<UInt8>) -> [Hit] {
        var hits: [Hit] = []
        if isPrivateKey(line) { hits.append(Hit(rule: .privateKey, kind: "private key", value: Array(line))) }
        var index = line.startIndex
        while index < line.endIndex {
            let startsWord = index == line.startIndex || !isWord(line[index - 1])
            if startsWord, let (token, end) = token(at: index, in: line) {
                hits.append(Hit(rule: .token, kind: token.kind, value: Array(line[index..<end])))
                index = end
            } else {
                index += 1
            }
        }
        if hits.isEmpty, let value = assignment(line) {
            hits.append(Hit(rule: .assignment, kind: "password, secret or token", value: value))
        }
        return hits
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }

    /// RFC 7468 labels ("-----BEGIN … PRIVATE KEY-----"), OpenPGP's and PuTTY's.
    private static func isPrivateKey(_ line: ArraySlice<UInt8>) -> Bool {
        let text = String(decoding: line.prefix(400), as: UTF8.self)
        if text.contains("PuTTY-User-Key-File-") { return true }
        guard let begin = text.firstRange(of: "-----BEGIN ") else { return false }
        let label = text[begin.upperBound...]
        guard let end = label.firstRange(of: "-----") else { return false }
        return label[..<end.lowerBound].contains("PRIVATE KEY")
    }

    private static func token(at index: Int, in line: ArraySlice<UInt8>) -> (Token, Int)? {
        for token in tokens where line[index] == token.prefix[0] && line[index...].starts(with: token.prefix) {
            let start = index + token.prefix.count
            let end = line[start...].firstIndex { !isWord($0) && !token.extra.contains($0) } ?? line.endIndex
            let upperCase =
                token.kind != "AWS access key" || end - start == 16 && line[start..<end].allSatisfy { $0 < 97 }
            if end - start >= token.least, upperCase { return (token, end) }
        }
        return nil
    }

    private static let words = [
        "password", "passwd", "passphrase", "secret", "token", "api_key", "apikey", "api-key", "access_key",
        "private_key", "credential",
    ]
    private static let placeholders = [
        "changeme", "example", "placeholder", "your", "xxxx", "todo", "dummy", "redacted", "insert",
    ]

    /// The value of an assignment whose name speaks of a secret and whose value looks random.
    private static func assignment(_ line: ArraySlice<UInt8>) -> [UInt8]? {
        guard line.count <= 4096,
            let place = line.firstIndex(where: { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: ":") })
        else { return nil }
        let name = String(decoding: line[..<place], as: UTF8.self).lowercased()
        guard words.contains(where: name.contains) else { return nil }
        let value = line[(place + 1)...].drop {
            $0 == 32 || $0 == 9 || $0 == 34 || $0 == 39 || $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: ">")
        }
        .prefix {
            $0 != 34 && $0 != 39 && $0 != 32 && $0 != 9 && $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: ";")
                && $0 != UInt8(ascii: "#")
        }
        guard value.count >= 12, value.count <= 512 else { return nil }
        // References to a variable, a template or a file are what one should write instead.
        guard let first = value.first, !"$<{%/~@&*".utf8.contains(first), !value.contains(UInt8(ascii: "(")) else {
            return nil
        }
        let text = String(decoding: value, as: UTF8.self).lowercased()
        guard !placeholders.contains(where: text.contains) else { return nil }
        return entropy(value) >= 3.2 ? Array(value) : nil
    }

    /// Shannon's entropy of the bytes' frequencies, in bits a byte. 16 random characters of base64 have about 3.8, a word of
    /// that length about 3.
    static func entropy(_ bytes: ArraySlice<UInt8>) -> Double {
        var counts = [Double](repeating: 0, count: 256)
        for byte in bytes { counts[Int(byte)] += 1 }
        let total = Double(bytes.count)
        return counts.reduce(0) { $1 > 0 ? $0 - $1 / total * log2($1 / total) : $0 }
    }
}

extension HunterScan {
    /// Secrets that the text has now and had not before.
    mutating func secrets(_ change: Change, _ texts: Texts) {
        let old = Set(Self.hits(texts.before).map(\.hit))
        var seen: Set<Secrets.Hit> = []
        for (number, hit) in Self.hits(texts.now) where !old.contains(hit) && seen.insert(hit).inserted {
            add(
                hit.rule, at: change.path,
                "\(change.path.display): line \(number) (empty lines not counted) holds what looks like a \(hit.kind); keep it out of missions and give it as a secret."
            )
        }
    }

    /// A private key is told from another by its first line of data.
    private static func hits(_ lines: [ArraySlice<UInt8>]) -> [(number: Int, hit: Secrets.Hit)] {
        lines.enumerated().flatMap { index, line in
            Secrets.find(in: line).map { hit in
                var hit = hit
                if hit.rule == .privateKey, index + 1 < lines.count { hit.value += lines[index + 1] }
                return (index + 1, hit)
            }
        }
    }
}
