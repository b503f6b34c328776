public import FoundationEssentials
internal import Linux

/// A time zone: an offset, or the rules of a zone of the IANA database as this host has them.
///
/// Foundation's named zones need its 30 MB of locale data; the host's own zone files (RFC 8536) do not.
public struct Zone: Sendable, Hashable, CustomStringConvertible {
    enum Rules: Sendable, Hashable {
        case offset(Int)
        case file(ZoneFile)
    }

    /// The name as it was written.
    public let name: String
    let rules: Rules

    /// Coordinated universal time.
    public static let utc = Zone(name: "UTC", rules: .offset(0))

    init(name: String, rules: Rules) {
        self.name = name
        self.rules = rules
    }

    /// Reads `UTC`, an offset such as `+02:00`, or a name such as `Europe/Berlin` from `directory`.
    ///
    /// - Throws: ``ZoneError`` where the name is none or its file is missing or damaged.
    public init(_ name: String, directory: String = "/usr/share/zoneinfo") throws {
        if name == "UTC" || name == "Z" {
            self = Zone(name: name, rules: .offset(0))
            return
        }
        if let sign = name.first, sign == "+" || sign == "-" {
            let parts = name.dropFirst().split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2,
                parts.allSatisfy({ $0.utf8.count == 2 && $0.utf8.allSatisfy { (48...57).contains($0) } }),
                let hours = Int(parts[0]), let minutes = Int(parts[1]), hours <= 14, minutes < 60
            else { throw ZoneError("“\(name)” is no offset from UTC; write one such as +02:00.") }
            self = Zone(name: name, rules: .offset((hours * 3600 + minutes * 60) * (sign == "-" ? -1 : 1)))
            return
        }
        let allowed = name.utf8.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || "/_-+".utf8.contains($0)
        }
        guard allowed, !name.isEmpty, !name.hasPrefix("/"), name.utf8.count <= 64 else {
            throw ZoneError(
                "“\(name.prefix(64))” is no time zone; write UTC, an offset such as +02:00, or a name such as Europe/Berlin."
            )
        }
        let data: Data
        do {
            data = try Files.read("\(directory)/\(name)", limit: 1 << 20)
        } catch {
            throw ZoneError(
                "the time zone “\(name)” is not known here (\(error)); install the package tzdata, correct the name, or write an offset such as +02:00."
            )
        }
        guard let file = ZoneFile(data) else {
            throw ZoneError(
                "the file of the time zone “\(name)” in \(directory) is damaged; reinstall the package tzdata.")
        }
        self = Zone(name: name, rules: .file(file))
    }

    public var description: String { name }

    /// Seconds to add to UTC at `date`.
    public func offset(at date: Date) -> Int {
        switch rules {
        case .offset(let seconds): seconds
        case .file(let file): file.offset(at: Civil.seconds(date))
        }
    }

    /// What a clock on the wall in this zone shows, in seconds since 1970-01-01 00:00 of that clock.
    func wallSeconds(at date: Date) -> Int { Civil.seconds(date) + offset(at: date) }
}

/// Why a time zone can't be had.
public struct ZoneError: Error, Sendable, CustomStringConvertible {
    /// A sentence.
    public let description: String

    init(_ description: String) { self.description = description }
}
