import Agent
import Ledger
import Linux
import Local

/// The ledger's public key: given, or the one this host's agent pinned when it first met its coordinator.
enum LedgerKey {
    static func load(_ given: String?, places: Places) throws -> VerifyingKey {
        let text: String
        if let given, !given.contains("/") || given.contains("+") {
            text = given
        } else {
            let path = given?.absolute ?? places.pinnedLedgerKey
            do {
                text = try Files.readString(path)
            } catch {
                throw Failure(
                    "The ledger's public key can't be read from \(path) (\(error)). Give it with --key, as the line or a file.",
                    code: 2)
            }
        }
        return try VerifyingKey(parsing: text.trimmingCharacters { $0.isWhitespace })
    }
}
