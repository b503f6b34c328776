internal import Glibc

/// What people read: colour and live lines on a terminal, plain text elsewhere. What comes from missions is escaped, so that
/// nothing in a change can move the cursor.
package enum Terminal {
    package static let isInteractive = isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == nil

    package enum Style: String {
        case bold = "1"
        case dim = "2"
        case red = "31"
        case green = "32"
        case yellow = "33"
        case blue = "34"
    }

    package static func styled(_ text: String, _ styles: Style...) -> String {
        guard isInteractive, !styles.isEmpty else { return text }
        return "\u{1b}[\(styles.map(\.rawValue).joined(separator: ";"))m\(text)\u{1b}[0m"
    }

    package static func line(_ text: String = "") {
        print(text)
        fflush(nil)
    }

    /// On standard error.
    package static func error(_ text: String) {
        let line = "grace: \(escaped(text))\n"
        FileHandleless.write(line, to: STDERR_FILENO)
    }

    /// Control characters, except line feed and tab, as `\u{…}`.
    package static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if scalar == "\n" || scalar == "\t" {
                result.unicodeScalars.append(scalar)
            } else if scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Asks on the controlling terminal; `nil` without one.
    package static func ask(_ question: String) -> String? {
        guard let terminal = fopen("/dev/tty", "r+") else { return nil }
        defer { fclose(terminal) }
        fputs(question + " ", terminal)
        fflush(terminal)
        var buffer = [CChar](repeating: 0, count: 256)
        guard fgets(&buffer, 256, terminal) != nil else { return nil }
        let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self).trimmingCharacters { $0.isWhitespace }
    }
}

/// Writing to a descriptor without buffers.
package enum FileHandleless {
    package static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}

extension String {
    package func trimmingCharacters(where shouldTrim: (Character) -> Bool) -> String {
        String(drop(while: shouldTrim).reversed().drop(while: shouldTrim).reversed())
    }
}
