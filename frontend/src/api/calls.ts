import type { paths } from './openapi'

import { request } from './http'

/**
 * Calls that are checked against the generated schema: address, names in it, query, body, answer.
 * A route, field or filter that the API does not have does not compile.
 */

type Method = 'get' | 'post' | 'patch' | 'put' | 'delete'
type Prefixed<R extends string> = `/api/v1/${R}`
type OperationOf<P extends keyof paths, M extends Method> = NonNullable<paths[P][M]>

/** Addresses below `/api/v1/` that answer this method, names in braces. */
export type Route<M extends Method> = {
  [P in keyof paths]: paths[P][M] extends undefined ? never : P extends Prefixed<infer R> ? R : never
}[keyof paths]

type At<R extends string, M extends Method> =
  Prefixed<R> extends keyof paths ? OperationOf<Prefixed<R>, M> : never

type Json<T> = T extends { content: { 'application/json': infer J } } ? J : null
type Good = 200 | 201 | 202 | 204
export type AnswerOf<R extends string, M extends Method> =
  At<R, M> extends { responses: infer A } ? Json<A[Extract<keyof A, Good>]> : never

export type BodyOf<R extends string, M extends Method> =
  At<R, M> extends { requestBody?: infer B }
    ? NonNullable<B> extends { content: { 'application/json': infer J } } ? J : undefined
    : undefined

type QueryOf<R extends string> =
  At<R, 'get'> extends { parameters: { query?: infer Q } } ? NonNullable<Q> : never
type InPath<R extends string> =
  R extends `${string}{${infer Name}}${infer Rest}` ? Name | InPath<Rest> : never

/** The values of the names in the address; none where it has no names. */
type Names<R extends string> = [InPath<R>] extends [never] ? [] : [ids: Record<InPath<R>, string>]
type ItemOf<R extends string> = AnswerOf<R, 'get'> extends { results: (infer I)[] } ? I : never

export interface Sent {
  /** The same for each repeat of one intent, so that nothing happens twice. */
  idempotencyKey?: string
}

/** The address with its names filled in; each value is one segment. */
export function addressOf(route: string, ids: Record<string, string> = {}): string {
  return route.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(ids[name] ?? ''))
}

export async function get<R extends Route<'get'>>(
  route: R,
  ...ids: Names<R>
): Promise<AnswerOf<R, 'get'>> {
  const response = await request(addressOf(route, ids[0]), { method: 'GET' })
  return (await response.json()) as AnswerOf<R, 'get'>
}

/** The beginning of a list. */
export interface Part<T> {
  items: T[]
  hasMore: boolean
}

interface Wanted<R extends string> {
  ids?: Names<R>[0]
  query?: Partial<QueryOf<R>>
  /** At most so many, one after another. */
  pages?: number
}

/** Up to 5 pages of a cursor-paged list, in the server's order; what lies beyond is left. */
export async function getPages<R extends Route<'get'>>(
  route: R,
  { ids, query = {}, pages = 5 }: Wanted<R> = {},
): Promise<ItemOf<R>[]> {
  return (await readPages<ItemOf<R>>(addressOf(route, ids), asText(query), pages)).items
}

/** The list that a page shows, as far as its reader has asked for: 100 rows to a page. */
export function readList<R extends Route<'get'>>(
  route: R,
  pages: number,
  { ids, query = {} }: Pick<Wanted<R>, 'ids' | 'query'> = {},
): Promise<Part<ItemOf<R>>> {
  return readPages(addressOf(route, ids), { ...asText(query), page_size: '100' }, pages)
}

async function readPages<T>(path: string, first: Record<string, string>, pages: number): Promise<Part<T>> {
  const items: T[] = []
  let query = first
  for (let count = 0; count < pages; count += 1) {
    const response = await request(path, { method: 'GET' }, query)
    const page = (await response.json()) as { next: string | null; results: T[] }
    items.push(...page.results)
    if (!page.next) return { items, hasMore: false }
    query = Object.fromEntries(new URL(page.next, window.location.origin).searchParams)
  }
  return { items, hasMore: true }
}

/** Lists in a query are written with commas. */
function asText(query: object): Record<string, string> {
  return Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String(value)]))
}

export function post<R extends Route<'post'>>(
  route: R,
  body: BodyOf<R, 'post'>,
  ids?: Names<R>[0],
  sent: Sent = {},
): Promise<AnswerOf<R, 'post'>> {
  return change('POST', addressOf(route, ids), body, sent)
}

export function patch<R extends Route<'patch'>>(
  route: R,
  body: BodyOf<R, 'patch'>,
  ids: Names<R>[0],
): Promise<AnswerOf<R, 'patch'>> {
  return change('PATCH', addressOf(route, ids), body)
}

export async function remove<R extends Route<'delete'>>(
  route: R,
  ids: Names<R>[0],
): Promise<void> {
  await request(addressOf(route, ids), { method: 'DELETE' })
}

async function change<T>(
  method: string,
  path: string,
  body: unknown,
  { idempotencyKey }: Sent = {},
): Promise<T> {
  const headers: Record<string, string> = { 'Content-Type': 'application/json' }
  if (idempotencyKey) headers['Idempotency-Key'] = idempotencyKey
  const response = await request(path, { method, headers, body: JSON.stringify(body ?? {}) })
  const text = await response.text()
  return (text ? JSON.parse(text) : null) as T
}
