package processor

// subdivisions are the states of the countries whose editions ask for them: country, Zoho's code, Zoho's name, and other
// codes and names in use. India's codes and register numbers are Zoho's list of valid GST state codes (where it differs from
// ISO 3166-2 the latter follows); the emirates' are those of Zoho's OpenAPI files; the others are ISO 3166-2, which Zoho's
// address forms show too. States of other countries go to Zoho as the event has them.
const subdivisions = `
IN|AD|Andhra Pradesh|AP|37
IN|AR|Arunachal Pradesh|12
IN|AS|Assam|18
IN|BR|Bihar|10
IN|CG|Chhattisgarh|CT|22|Chattisgarh
IN|DL|Delhi|07|NCT of Delhi|New Delhi
IN|GA|Goa|30
IN|GJ|Gujarat|24
IN|HR|Haryana|06
IN|HP|Himachal Pradesh|02
IN|JK|Jammu and Kashmir|01|Jammu & Kashmir
IN|JH|Jharkhand|20
IN|KA|Karnataka|29
IN|KL|Kerala|32
IN|LD|Lakshadweep|31|Lakshadweep Islands
IN|MP|Madhya Pradesh|23
IN|MH|Maharashtra|27
IN|MN|Manipur|14
IN|ML|Meghalaya|17
IN|MZ|Mizoram|15
IN|NL|Nagaland|13
IN|OD|Odisha|OR|21|Orissa
IN|PY|Puducherry|34|Pondicherry
IN|PB|Punjab|03
IN|RJ|Rajasthan|08
IN|SK|Sikkim|11
IN|TN|Tamil Nadu|33
IN|TS|Telangana|TG|36
IN|TR|Tripura|16
IN|UP|Uttar Pradesh|09
IN|UK|Uttarakhand|UT|05|Uttaranchal
IN|WB|West Bengal|19
IN|AN|Andaman and Nicobar Islands|35|Andaman & Nicobar Islands|Andaman and Nicobar
IN|CH|Chandigarh|04
IN|DN|Dadra and Nagar Haveli and Daman and Diu|DH|DD|26|Dadra & Nagar Haveli and Daman & Diu|Dadra and Nagar Haveli|Daman and Diu
IN|LA|Ladakh|38
IN|OT|Other Territory|97
AE|AB|Abu Dhabi|AZ|Abu Zaby
AE|AJ|Ajman
AE|DU|Dubai|Dubayy
AE|FU|Fujairah|Al Fujairah|Al Fujayrah
AE|RA|Ras al-Khaimah|RK|Ras al Khaymah
AE|SH|Sharjah|Ash Shariqah
AE|UM|Umm al-Quwain|UQ|Umm al Qaywayn
US|AL|Alabama
US|AK|Alaska
US|AZ|Arizona
US|AR|Arkansas
US|CA|California
US|CO|Colorado
US|CT|Connecticut
US|DE|Delaware
US|DC|District of Columbia|Washington DC
US|FL|Florida
US|GA|Georgia
US|HI|Hawaii
US|ID|Idaho
US|IL|Illinois
US|IN|Indiana
US|IA|Iowa
US|KS|Kansas
US|KY|Kentucky
US|LA|Louisiana
US|ME|Maine
US|MD|Maryland
US|MA|Massachusetts
US|MI|Michigan
US|MN|Minnesota
US|MS|Mississippi
US|MO|Missouri
US|MT|Montana
US|NE|Nebraska
US|NV|Nevada
US|NH|New Hampshire
US|NJ|New Jersey
US|NM|New Mexico
US|NY|New York
US|NC|North Carolina
US|ND|North Dakota
US|OH|Ohio
US|OK|Oklahoma
US|OR|Oregon
US|PA|Pennsylvania
US|RI|Rhode Island
US|SC|South Carolina
US|SD|South Dakota
US|TN|Tennessee
US|TX|Texas
US|UT|Utah
US|VT|Vermont
US|VA|Virginia
US|WA|Washington
US|WV|West Virginia
US|WI|Wisconsin
US|WY|Wyoming
US|PR|Puerto Rico
US|GU|Guam
US|VI|Virgin Islands|US Virgin Islands
US|AS|American Samoa
US|MP|Northern Mariana Islands
US|AA|Armed Forces Americas
US|AE|Armed Forces Europe
US|AP|Armed Forces Pacific
CA|AB|Alberta
CA|BC|British Columbia
CA|MB|Manitoba
CA|NB|New Brunswick
CA|NL|Newfoundland and Labrador|Newfoundland
CA|NS|Nova Scotia
CA|NT|Northwest Territories
CA|NU|Nunavut
CA|ON|Ontario
CA|PE|Prince Edward Island
CA|QC|Quebec
CA|SK|Saskatchewan
CA|YT|Yukon|Yukon Territory
AU|ACT|Australian Capital Territory
AU|NSW|New South Wales
AU|NT|Northern Territory
AU|QLD|Queensland
AU|SA|South Australia
AU|TAS|Tasmania
AU|VIC|Victoria
AU|WA|Western Australia
ZA|EC|Eastern Cape
ZA|FS|Free State
ZA|GP|Gauteng
ZA|KZN|KwaZulu-Natal|NL
ZA|LP|Limpopo
ZA|MP|Mpumalanga
ZA|NC|Northern Cape
ZA|NW|North West
ZA|WC|Western Cape
MX|AGU|Aguascalientes
MX|BCN|Baja California
MX|BCS|Baja California Sur
MX|CAM|Campeche
MX|CHP|Chiapas
MX|CHH|Chihuahua
MX|CMX|Ciudad de México|Mexico City|Distrito Federal|DIF
MX|COA|Coahuila|Coahuila de Zaragoza
MX|COL|Colima
MX|DUR|Durango
MX|GUA|Guanajuato
MX|GRO|Guerrero
MX|HID|Hidalgo
MX|JAL|Jalisco
MX|MEX|México|Estado de México
MX|MIC|Michoacán|Michoacán de Ocampo
MX|MOR|Morelos
MX|NAY|Nayarit
MX|NLE|Nuevo León
MX|OAX|Oaxaca
MX|PUE|Puebla
MX|QUE|Querétaro
MX|ROO|Quintana Roo
MX|SLP|San Luis Potosí
MX|SIN|Sinaloa
MX|SON|Sonora
MX|TAB|Tabasco
MX|TAM|Tamaulipas
MX|TLA|Tlaxcala
MX|VER|Veracruz|Veracruz de Ignacio de la Llave
MX|YUC|Yucatán
MX|ZAC|Zacatecas
`
