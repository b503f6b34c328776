# The sandbox, its limits and their outcomes, and the attacks on it, on this kernel.
. "${0%/*}/lib.bash"
tests '^SandboxTests\.'
