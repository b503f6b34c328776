/// A block that was given up half-way because live suffered (DESIGN section 8.9); it ran again when the trial went on.
///
/// Cutting short asks nobody about the arms, but a candidate that hurts live would be spared its worst blocks by it. So these
/// blocks count as left out: a PASS needs ten blocks run for each that was cut short or discarded (``DiscardRule``).
public struct CutShort: Codable, Equatable, Sendable {
    /// The number of the block in hand.
    public var block: Int
    /// What live suffered from: a sentence.
    public var reason: String

    public init(block: Int, reason: String) {
        self.block = block
        self.reason = reason
    }
}
