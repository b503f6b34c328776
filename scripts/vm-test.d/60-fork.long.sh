# Forks, change sets and promotion on this kernel.
. "${0%/*}/lib.bash"
tests '^(ForkTests|PromotionTests)\.'
