import { queryOperators } from '@elkyn/tree'
import type { QueryCondition, QueryOperator } from '@elkyn/tree'
import { parsed } from './query-bound.ts'
import { Refusal } from './refusal.ts'

/**
 * Reads conditions that all have to hold: a JSON object of fields, each with a value that it equals or an
 * object of comparisons, `{"city":"Berlin","age":{">=":18,"<":65}}`.
 *
 * @throws {Refusal} 400 for anything else.
 */
export function parseWhere(text: string): QueryCondition[] {
  const fields = parsed(text)
  if (!isObject(fields)) throw invalidWhere()
  return Object.entries(fields).flatMap(([field, wanted]) => conditionsOf(field, wanted))
}

function conditionsOf(field: string, wanted: unknown): QueryCondition[] {
  if (isPrimitive(wanted)) return [{ field, op: '==', value: wanted }]
  if (!isObject(wanted)) throw invalidWhere()
  const comparisons = Object.entries(wanted)
  // It would be met by everything, and hardly be meant so.
  if (comparisons.length === 0) throw invalidWhere()
  return comparisons.map(([op, value]) => {
    if (!isOperator(op) || !isPrimitive(value)) throw invalidWhere()
    return { field, op, value }
  })
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isPrimitive(value: unknown): value is QueryCondition['value'] {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value)
}

function isOperator(op: string): op is QueryOperator {
  return queryOperators.some((operator) => operator === op)
}

function invalidWhere(): Refusal {
  return new Refusal(
    400,
    `where must be a JSON object of fields, each with a value or with comparisons by ${queryOperators.join(' ')}`,
  )
}
