module klamm/compat/drive

go 1.26.0
