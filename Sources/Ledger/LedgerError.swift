/// Why something of the ledger, a key, a signature or a journal was refused. Every description is a sentence for a person;
/// the cases are for callers that act on the difference.
public enum LedgerError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A key file or key text can't be used. `what` names it.
    case key(what: String, why: String)
    /// A signed note or checkpoint does not have the form of C2SP signed-note / tlog-checkpoint.
    case note(why: String)
    /// A signature does not verify, or no signature of the wanted key is there.
    case signature(what: String, why: String)
    /// A DSSE envelope or in-toto statement does not have its form.
    case envelope(why: String)
    /// An SSH key, signature or allowed_signers file does not have its form.
    case ssh(what: String, why: String)
    /// Stored bytes are not what was written. `line` counts from 1.
    case damaged(file: String, line: Int?, why: String)
    /// An entry is larger than the format can hold. Sizes are in bytes.
    case tooLarge(what: String, size: Int, limit: Int)
    /// An index or size lies outside the log.
    case outOfRange(what: String, size: UInt64)
    /// Another process has the log or journal open for writing.
    case locked(directory: String)
    /// An earlier write or fsync failed, so what is on disk is unknown until the log or journal is opened anew.
    case unusable(file: String, why: String)
    /// `ssh-keygen` could not be run or refused.
    case tool(name: String, why: String)

    public var description: String {
        switch self {
        case .key(let what, let why):
            return "The key \(what) cannot be used: \(why)."
        case .note(let why):
            return "This is no valid signed note: \(why). Fetch it again, or ask who runs the log."
        case .signature(let what, let why):
            return "The signature of \(what) is refused: \(why)."
        case .envelope(let why):
            return "This is no valid signed envelope: \(why)."
        case .ssh(let what, let why):
            return "\(what) is refused: \(why)."
        case .damaged(let file, let line, let why):
            let place = line.map { "\(file):\($0)" } ?? file
            return
                "\(place) is damaged: \(why). Nothing was changed; restore the file from a backup or find out who wrote to it."
        case .tooLarge(let what, let size, let limit):
            return
                "\(what) has \(size) bytes, more than the \(limit) the log's format can hold: put the text in a blob and its digest here."
        case .outOfRange(let what, let size):
            return "\(what) lies outside the log, which has \(size) entries."
        case .locked(let directory):
            return "\(directory) is open for writing in another process: stop that one first, only one may write."
        case .unusable(let file, let why):
            return "\(file) takes no more entries: \(why). Mend the disk and start the daemon again."
        case .tool(let name, let why):
            return "\(name) did not do its work: \(why)."
        }
    }
}
