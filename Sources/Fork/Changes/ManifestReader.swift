internal import Documents
internal import FoundationEssentials
internal import Linux

/// Reads one object of a manifest or base document; every error names the document and the member.
struct ManifestReader {
    let document: String
    let json: JSON

    func refuse(_ member: String, _ expected: String) -> ForkError {
        .malformed(
            "The \(document) is not valid: its member “\(member)” is missing or is not \(expected). "
                + "Take the document as the agent wrote it.")
    }

    func expectFormat(_ format: String) throws {
        guard json["format"]?.string == format else { throw refuse("format", "“\(format)”") }
    }

    func list(_ member: String) throws -> [ManifestReader] {
        guard let items = json[member]?.array else { throw refuse(member, "a list") }
        return items.map { ManifestReader(document: document, json: $0) }
    }

    func string(_ member: String) throws -> String? {
        guard let value = json[member] else { return nil }
        guard let text = value.string else { throw refuse(member, "a text") }
        return text
    }

    func integerIfPresent<I: FixedWidthInteger>(_ member: String) throws -> I? {
        guard let text = try string(member) else { return nil }
        guard let value = I(text), String(value) == text else { throw refuse(member, "an integer as a decimal string") }
        return value
    }

    func integer<I: FixedWidthInteger>(_ member: String) throws -> I {
        guard let value: I = try integerIfPresent(member) else {
            throw refuse(member, "an integer as a decimal string")
        }
        return value
    }

    func bytes(_ member: String) throws -> Data? {
        guard let text = try string(member) else { return nil }
        guard let data = Data(base64URL: text) else { throw refuse(member, "base64url without padding") }
        return data
    }

    func path(_ member: String) throws -> BytePath {
        guard let data = try bytes(member) else { throw refuse(member, "base64url of a path's bytes") }
        return BytePath(bytes: Array(data))
    }

    func choice<Choice: RawRepresentable>(_ member: String) throws -> Choice where Choice.RawValue == String {
        guard let text = try string(member), let choice = Choice(rawValue: text) else {
            throw refuse(member, "a \(member) that this version knows")
        }
        return choice
    }

    func digest(_ member: String) throws -> Digest? {
        guard let text = try string(member) else { return nil }
        guard let digest = Digest(hex: text) else { throw refuse(member, "64 lower-case hexadecimal digits") }
        return digest
    }

    func xattrs() throws -> [String: Data] {
        guard let value = json["xattrs"] else { return [:] }
        guard let members = value.object else { throw refuse("xattrs", "an object") }
        var result: [String: Data] = [:]
        for (name, value) in members {
            guard let text = value.string, let data = Data(base64URL: text), !OverlayMarks.isOverlays(name) else {
                throw refuse("xattrs", "a list of attributes in base64url without overlayfs's own")
            }
            result[name] = data
        }
        return result
    }

    func device() throws -> DeviceNode? {
        guard let text = try string("device") else { return nil }
        guard let device = DeviceNode(text: text) else { throw refuse("device", "a device number such as “c 1:3”") }
        return device
    }
}
