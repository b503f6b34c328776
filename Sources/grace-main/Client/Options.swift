import ArgumentParser
import Documents
import FoundationEssentials
import Linux
import Local

/// Which coordinator, and who asks.
struct ClientOptions: ParsableArguments {
    @OptionGroup var placesOptions: PlacesOptions

    @Option(help: "The coordinator's base URL (GRACE_URL, or what `grace up` on this host wrote down).")
    var coordinator: String?

    @Option(help: "A file with a bearer token (GRACE_TOKEN, or what `grace up` on this host wrote down).")
    var tokenFile: String?

    @Flag(help: "Print JSON instead of text.")
    var json = false

    /// The person who signs: given, GRACE_PRINCIPAL, or the one that `grace up` wrote down.
    func principal(_ given: String?) throws -> String {
        let known = try? JSON(parsing: Files.read(placesOptions.places.runtime + "/client.json"))
        guard let name = given ?? Processes.currentEnvironment()["GRACE_PRINCIPAL"] ?? known?["principal"]?.string
        else {
            throw Failure("Say whose signature it is with --as NAME, the name in allowed_signers.", code: 2)
        }
        return name
    }

    func client() throws -> APIClient {
        let environment = Processes.currentEnvironment()
        let known = try? JSON(parsing: Files.read(placesOptions.places.runtime + "/client.json"))
        guard let base = coordinator ?? environment["GRACE_URL"] ?? known?["url"]?.string else {
            throw Failure(
                "No coordinator is known: give --coordinator URL, set GRACE_URL, or start `grace up` on this host.",
                code: 2)
        }
        var token = environment["GRACE_TOKEN"]
        if let path = tokenFile ?? (token == nil ? known?["token_file"]?.string : nil) {
            token = try Files.readString(path).trimmingCharacters { $0.isWhitespace }
        }
        return APIClient(base: base.hasSuffix("/") ? String(base.dropLast()) : base, token: token)
    }
}

extension String {
    /// Percent-encoded for one component of a path or a query.
    var urlEncoded: String {
        let safe = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~".utf8)
        return utf8.map { safe.contains($0) ? String(UnicodeScalar($0)) : "%" + Data([$0]).hexadecimal.uppercased() }
            .joined()
    }
}
