internal import Documents

// What mission files write beyond numbers and words. Each reports what was expected and gives `nil` where it isn't that.

extension Field {
    /// One item or a list of them.
    func texts() -> [Field] { isScalar ? [self] : list() ?? [] }

    /// One line of text without control characters.
    func line(most: Int) -> String? {
        guard let text = text() else { return nil }
        guard text.unicodeScalars.allSatisfy({ !isControl($0) && $0 != "\n" && $0 != "\t" }) else {
            problem("expected one line without control characters.")
            return nil
        }
        guard text.count <= most else {
            problem("expected at most \(most) characters, found \(text.count).")
            return nil
        }
        return text
    }

    /// Text of any number of lines, for people.
    func prose() -> String? {
        guard let text = text() else { return nil }
        guard text.unicodeScalars.allSatisfy({ !isControl($0) }) else {
            problem("expected text without control characters: a terminal would obey them.")
            return nil
        }
        guard text.utf8.count <= 64 << 10 else {
            problem("expected at most 64 KiB of text, found \(text.utf8.count) bytes.")
            return nil
        }
        return text
    }

    private func isControl(_ scalar: Unicode.Scalar) -> Bool {
        if scalar == "\n" || scalar == "\t" { return false }
        switch scalar.properties.generalCategory {
        // Format characters hide and reorder text (CVE-2021-42574); joiners inside emoji are among them and do no harm.
        case .format: return scalar != "\u{200d}"
        case .control, .lineSeparator, .paragraphSeparator, .privateUse: return true
        default: return false
        }
    }

    /// A shell command.
    func command() -> String? {
        guard let text = text() else { return nil }
        guard !text.utf8.contains(0), text.utf8.count <= 64 << 10 else {
            problem("expected a shell command of at most 64 KiB without NUL.")
            return nil
        }
        return text
    }

    /// An absolute path in its shortest form.
    func absolutePath() -> String? {
        guard let text = text() else { return nil }
        guard text.hasPrefix("/"), let names = names(text.dropFirst()) else {
            problem(
                "expected an absolute path without “.”, “..”, “//” and control characters, such as /etc/nginx/nginx.conf, found “\(text.prefix(200))”."
            )
            return nil
        }
        return "/" + names.joined(separator: "/")
    }

    /// A path below a directory named elsewhere, in its shortest form; `.` alone where `here` allows it.
    func relativePath(to what: String, here: Bool = false) -> String? {
        guard let text = text() else { return nil }
        if here, text == "." { return text }
        guard !text.hasPrefix("/"), let names = names(text[...]), !names.isEmpty else {
            problem("expected a path relative to \(what), without “..”, found “\(text.prefix(200))”.")
            return nil
        }
        return names.joined(separator: "/")
    }

    /// A report's path: absolute, or relative to where the check runs.
    func reportPath() -> String? {
        guard let text = text() else { return nil }
        return text.hasPrefix("/") ? absolutePath() : relativePath(to: "the directory the check runs in")
    }

    /// The names of a path; `nil` when one of them is empty, `.` or `..`, or holds what no path should. One `/` at the end is
    /// taken for a habit.
    private func names(_ path: Substring) -> [Substring]? {
        guard path.utf8.count < 4096, path.unicodeScalars.allSatisfy({ $0.value >= 32 && $0.value != 127 }) else {
            return nil
        }
        var names = path.split(separator: "/", omittingEmptySubsequences: false)
        if names.last == "" { names.removeLast() }
        return names.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." && $0.utf8.count <= 255 } ? names : nil
    }

    /// A systemd unit's name.
    func unit() -> String? {
        guard let text = text() else { return nil }
        let types = ["service", "socket", "timer", "path", "target", "mount", "slice", "scope"]
        let allowed = text.utf8.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || "@._:\\-/".utf8.contains($0)
        }
        let isGroup = text.contains("/") && !text.split(separator: "/").contains("..")
        guard allowed, !text.hasPrefix("-"), text.utf8.count < 256,
            isGroup || types.contains(where: { text.hasSuffix("." + $0) })
        else {
            problem("expected a systemd unit such as nginx.service, found “\(text.prefix(100))”.")
            return nil
        }
        return text
    }

    /// Seconds within bounds.
    func span(in range: ClosedRange<Double>) -> Double? {
        guard let span = span() else { return nil }
        guard range.contains(span.seconds) else {
            problem(
                "expected a time from \(Span(seconds: range.lowerBound)) to \(Span(seconds: range.upperBound)), found \(span)."
            )
            return nil
        }
        return span.seconds
    }

    /// `http://HOST[:PORT]/PATH`.
    func httpURL() -> String? {
        guard let text = text() else { return nil }
        func refuse(_ why: String) -> String? {
            problem("expected an address such as http://127.0.0.1:8080/path\(why), found “\(text.prefix(200))”.")
            return nil
        }
        guard text.hasPrefix("http://") else {
            return refuse(
                text.hasPrefix("https://") ? " (https is not measured: it would measure the encryption as well)" : "")
        }
        guard text.utf8.count <= 8192, text.utf8.allSatisfy({ (33...126).contains($0) }), !text.contains("#") else {
            return refuse(" of at most 8192 printable ASCII characters, without a fragment")
        }
        let rest = text.dropFirst(7)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        guard !authority.contains("@") else { return refuse(" without a user name") }
        var host = authority
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else { return refuse("") }
            host = authority[...close]
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
        }
        let port = authority[host.endIndex...]
        guard !host.isEmpty else { return refuse(" with a host") }
        if !port.isEmpty {
            let digits = port.dropFirst()
            guard port.first == ":", digits.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(digits),
                (1...65535).contains(number)
            else { return refuse(" with a port from 1 to 65535") }
        }
        return text
    }

    /// `200/s`, `600/m`: events a second.
    func rate() -> Double? {
        guard let text = string() else { return nil }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let units: [String: Double] = ["s": 1, "m": 60, "h": 3600]
        guard parts.count == 2, let unit = units[String(parts[1])],
            parts[0].utf8.allSatisfy({ (48...57).contains($0) || $0 == 46 }),
            let number = Double(parts[0])
        else {
            problem("expected a rate such as 200/s, found “\(text.prefix(60))”.")
            return nil
        }
        guard number > 0, number / unit <= 1e6 else {
            problem("expected a rate above 0 and of at most 1000000/s, found “\(text.prefix(60))”.")
            return nil
        }
        return number / unit
    }

    /// The name of an environment variable: what a shell can set.
    static func isVariable(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 255
            && name.utf8.allSatisfy {
                (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 95
            }
            && !(name.utf8.first.map { (48...57).contains($0) } ?? true)
    }
}
