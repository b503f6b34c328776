public import Documents
internal import FoundationEssentials

/// A log's signed tree head: a C2SP tlog-checkpoint in a C2SP signed-note.
///
/// ```text
/// app1.example/ledger
/// 42
/// CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
///
/// — app1.example/ledger Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
/// ```
public struct Checkpoint: Sendable, Hashable, CustomStringConvertible {
    /// The log's name; also the name of the key it is signed with.
    public let origin: String
    /// How many entries the log had.
    public let size: UInt64
    /// The Merkle tree head over them (RFC 6962 section 2.1).
    public let root: Digest
    /// The whole note, byte for byte as signed and served.
    public let note: String

    public var description: String { "\(origin) \(size) \(root.hex)" }

    /// Signs a tree head. The key's name is the origin.
    public static func signed(size: UInt64, root: Digest, by key: SigningKey) throws -> Checkpoint {
        let body = "\(key.name)\n\(size)\n\(root.bytes.base64EncodedString())\n"
        return try Checkpoint(origin: key.name, size: size, root: root, note: SignedNote.sign(text: body, by: key))
    }

    /// Reads and verifies a checkpoint of the log whose key this is; throws ``LedgerError``.
    ///
    /// Signatures of other keys, such as witnesses' cosignatures, and extension lines are left alone.
    public static func parse(_ note: String, key: VerifyingKey) throws -> Checkpoint {
        let text = try SignedNote.verifiedText(note, by: key)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        // The text ends with a newline, so the last piece is empty.
        guard lines.count >= 4, lines.dropLast().allSatisfy({ !$0.isEmpty }) else {
            throw LedgerError.note(why: "a checkpoint has at least three lines that are not empty: origin, size, root")
        }
        guard lines[0] == key.name else {
            throw LedgerError.note(why: "its origin is \(lines[0].prefix(100)), not \(key.name)")
        }
        guard let size = UInt64(lines[1]), String(size) == lines[1] else {
            throw LedgerError.note(why: "its second line, \"\(lines[1].prefix(40))\", is no size in decimal digits")
        }
        guard let bytes = Data(base64Encoded: String(lines[2])), let root = Digest(bytes: bytes),
            bytes.base64EncodedString() == lines[2]
        else {
            throw LedgerError.note(why: "its third line is not the base64 of a SHA-256 tree head")
        }
        guard size > 0 || root == MerkleHash.empty else {
            throw LedgerError.note(why: "it has no entries but a root that is not the empty log's")
        }
        return Checkpoint(origin: key.name, size: size, root: root, note: note)
    }
}

/// C2SP signed-note: text, a blank line, and one line `— name base64(key hash, signature)` for each signature.
public enum SignedNote {
    /// Signs `text`, which ends with a newline and holds no control characters but newlines; gives the whole note.
    public static func sign(text: String, by key: SigningKey) throws -> String {
        guard text.hasSuffix("\n") else { throw LedgerError.note(why: "its text must end with a newline") }
        guard isClean(text) else { throw LedgerError.note(why: "its text holds control characters") }
        let coded = key.publicKey.keyID.bigEndianBytes + (try key.sign(Data(text.utf8)))
        return text + "\n— \(key.name) \(coded.base64EncodedString())\n"
    }

    /// The note's text, if one of its signatures is `key`'s; throws otherwise. At most 1 MiB and 100 signatures.
    public static func verifiedText(_ note: String, by key: VerifyingKey) throws -> String {
        guard note.utf8.count <= 1 << 20 else { throw LedgerError.note(why: "it has more than 1 MiB") }
        guard isClean(note) else { throw LedgerError.note(why: "it holds control characters") }
        let bytes = Array(note.utf8)
        guard bytes.last == 0x0A,
            let blank = bytes.indices.dropFirst().last(where: { bytes[$0] == 0x0A && bytes[$0 - 1] == 0x0A }),
            blank + 1 < bytes.count
        else {
            throw LedgerError.note(why: "it has no signatures after a blank line")
        }
        let text = String(decoding: bytes[..<blank], as: UTF8.self)
        let lines = String(decoding: bytes[(blank + 1)..<(bytes.count - 1)], as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count <= 100 else {
            throw LedgerError.note(why: "it has more than 100 signatures")
        }
        var found = false
        for line in lines {
            let parts = line.split(separator: " ", omittingEmptySubsequences: false)
            guard parts.count == 3, parts[0] == "—", !parts[1].isEmpty,
                let coded = Data(base64Encoded: String(parts[2])), coded.count > 4
            else {
                throw LedgerError.note(
                    why: "the signature line \"\(line.prefix(80))\" is not of the form: — name base64")
            }
            guard parts[1] == key.name, coded.prefix(4) == key.keyID.bigEndianBytes else { continue }
            // One bad signature of a known key spoils the note (signed-note, "Verifying").
            guard !found, key.isValid(signature: Data(coded.dropFirst(4)), for: Data(text.utf8)) else {
                throw LedgerError.signature(
                    what: "a note by \(key.name)", why: "it does not match the text: one of the two was changed")
            }
            found = true
        }
        guard found else { throw LedgerError.signature(what: "a note", why: "none of its signatures is \(key.name)'s") }
        return text
    }

    private static func isClean(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 >= 0x20 || $0 == 0x0A }
    }
}

extension FixedWidthInteger {
    /// The most significant byte first.
    var bigEndianBytes: Data { withUnsafeBytes(of: bigEndian) { Data($0) } }
}
