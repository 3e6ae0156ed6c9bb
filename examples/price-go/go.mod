module codenode/examples/price-go

go 1.27
