/** How the fields of a record are arranged. */
export type Shape = 'flat' | 'nested'

/** The records of one case: all of one size and shape. */
export interface SizedRecords {
  readonly shape: Shape
  /** Bytes of the JSON of a record, nearly. */
  readonly bytes: number
  jsonOf(number: number): string
  /** Path of one field of a record, below the record. */
  readonly leaf: string
}

/** About what a field takes with its name, quotes and comma. */
const FIELD_BYTES = 50
const FIELDS_PER_SECTION = 10

/** Fields of 50 bytes; nested ones lie in sections of ten. A short record has shorter fields. */
export function sizedRecords(bytes: number, shape: Shape): SizedRecords {
  const fields = Math.max(10, Math.round(bytes / FIELD_BYTES))
  const valueBytes = Math.max(1, Math.round(bytes / fields) - fieldName(0).length - 6)
  const members = (from: number, to: number, number: number): string => {
    const parts: string[] = []
    for (let field = from; field < to; field++) {
      const value = String(number * 31 + field).padStart(valueBytes, 'v')
      parts.push(`"${fieldName(field)}":"${value.slice(-valueBytes)}"`)
    }
    return `{${parts.join(',')}}`
  }
  const sections = (number: number): string => {
    const parts: string[] = []
    for (let from = 0; from < fields; from += FIELDS_PER_SECTION) {
      const to = Math.min(from + FIELDS_PER_SECTION, fields)
      parts.push(`"${sectionName(from)}":${members(from, to, number)}`)
    }
    return `{${parts.join(',')}}`
  }
  const isNested = shape === 'nested'
  return {
    shape,
    bytes,
    jsonOf: (number) => (isNested ? sections(number) : members(0, fields, number)),
    leaf: isNested ? `${sectionName(0)}/${fieldName(5)}` : fieldName(5),
  }
}

// In key order, so that the text is canonical as it is.
function fieldName(field: number): string {
  return `f${String(field).padStart(3, '0')}`
}

function sectionName(from: number): string {
  return `section${String(from).padStart(3, '0')}`
}
