module portcullis/tools/ct-log

go 1.26.0

require github.com/google/certificate-transparency-go v1.3.2

require golang.org/x/crypto v0.38.0 // indirect
