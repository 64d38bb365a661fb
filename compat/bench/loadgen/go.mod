module klamm/compat/bench/loadgen

go 1.26.0
