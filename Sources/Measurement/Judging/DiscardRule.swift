/// When a block may be left out of the verdict.
///
/// Throwing away noisy blocks hides harm that the candidate itself caused: one that stalls in 15 % of its blocks passes
/// every time if blocks with high pressure go. So a block is marked only by someone who sees neither its arms' order nor
/// its values (``Trial`` asks a closure that is given the block's number alone), on pressure that no sandbox of ours
/// caused, and at most one block in ten is let go; further marks are noted and the blocks count.
public enum DiscardRule {
    /// The largest share of blocks that may be left out.
    public static let share = 0.10

    /// How many of the first `blocks` blocks may be left out.
    ///
    /// As long as fewer than `minBlocks` ran the share is taken of those, so that an early disturbance can be left out.
    public static func allowance(blocks: Int, minBlocks: Int) -> Int {
        max(blocks, minBlocks) / 10
    }
}
