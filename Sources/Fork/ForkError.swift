public import Linux

/// Why a fork, its snapshot or its change set could not be made.
public enum ForkError: Error, Equatable, CustomStringConvertible {
    /// A fork's name is not usable as a directory's name.
    case badIdentifier(String)
    case alreadyExists(id: String, directory: String)
    case notFound(id: String, directory: String)
    /// The fork's own record can't be read.
    case damaged(directory: String, reason: String)
    /// A step came too late or too early in a fork's life.
    case outOfOrder(String)
    /// An upper layer holds what overlayfs writes only with options that Grace switches off.
    case foreignLayer(path: BytePath, reason: String)
    /// A file changed while it was read, or is not what it was a moment ago.
    case unstable(path: BytePath, reason: String)
    /// A manifest, base document or blob that is not what it must be.
    case malformed(String)
    case blob(digest: String, reason: String)
    /// A snapshot was refused; nothing of it remains in the fork.
    case snapshot(String)

    public var description: String {
        switch self {
        case .badIdentifier(let id):
            "The fork's name “\(BytePath(id).display)” cannot be used: take 1 to 100 letters, digits, “-”, “_” or “.”, "
                + "beginning with a letter or digit."
        case .alreadyExists(let id, let directory):
            "A fork “\(id)” already lies in \(directory). Discard it first, or choose another name."
        case .notFound(let id, let directory):
            "There is no fork “\(id)” in \(directory). It was discarded, or the state directory is another one."
        case .damaged(let directory, let reason):
            "The fork in \(directory) cannot be used: \(reason). Discard it and make a new one."
        case .outOfOrder(let sentence), .malformed(let sentence), .snapshot(let sentence): sentence
        case .foreignLayer(let path, let reason):
            "The fork's upper layer cannot be compared at \(path.display): \(reason). Mount overlays with "
                + "redirect_dir=off,metacopy=off,index=off,xino=off and run the change again in a new fork."
        case .unstable(let path, let reason):
            "\(path.display) changed while it was read: \(reason). Try again when nothing writes it."
        case .blob(let digest, let reason):
            "The blob \(digest) cannot be used: \(reason)."
        }
    }
}
