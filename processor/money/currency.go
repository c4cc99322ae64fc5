package money

import "strings"

// The tables are ISO 4217's list one (current currencies and funds) of June 2024, by number of minor units, and XCG, which
// replaced ANG in March 2025. Codes without a minor unit (gold, special drawing rights, the codes for testing and for "no
// currency") are left out: nobody is invoiced in them. SLL, ANG, HRK and the like are history and not in the list either.
const (
	minorUnits0 = `
	BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF`
	minorUnits2 = `
	AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF
	CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL
	HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU
	MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR
	SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED
	VES WST XAD XCD XCG YER ZAR ZMW ZWG`
	minorUnits3 = `
	BHD IQD JOD KWD LYD OMR TND`
	minorUnits4 = `
	CLF UYW`
)

var minorUnits = func() map[string]int32 {
	m := make(map[string]int32, 200)
	for places, codes := range map[int32]string{0: minorUnits0, 2: minorUnits2, 3: minorUnits3, 4: minorUnits4} {
		for _, code := range strings.Fields(codes) {
			m[code] = places
		}
	}
	return m
}()

// MinorUnit is the number of decimals of a currency by ISO 4217, 0 to 4. It reports false for a code that isn't a current
// currency with a minor unit; codes are upper case.
func MinorUnit(code string) (int32, bool) {
	places, ok := minorUnits[code]
	return places, ok
}

// defaultMinorUnit is what a code that isn't known gets; callers check codes first.
const defaultMinorUnit = 2

func places(code string) int32 {
	if places, ok := minorUnits[code]; ok {
		return places
	}
	return defaultMinorUnit
}
