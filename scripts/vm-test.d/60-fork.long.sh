# Forks, change sets and promotion on this kernel.
. "${0%/*}/lib.bash"
tests '^(ForkTests|PromotionTests)\.' \
    'ForkTests\.PostgresTests' "PostgreSQL is not in the machine; with GRACE_POSTGRES=1 it runs on a host that has it" \
    'RandomChangeTests/untilTheTimeIsUp' "runs where GRACE_RANDOM_SECONDS says for how long" \
    'PromotionTests\.PowerLossTests' "70-powerloss"
