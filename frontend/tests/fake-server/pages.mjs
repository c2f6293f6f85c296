/** One page of a list as the API gives it: `page_size` rows from the cursor on, 50 if not told. */
export function page(results, url) {
  const from = Number(url.searchParams.get('cursor') ?? 0)
  const until = from + Number(url.searchParams.get('page_size') ?? 50)
  const next = until < results.length ? nextPage(url, until) : null
  return { next, previous: null, results: results.slice(from, until) }
}

function nextPage(url, cursor) {
  const address = new URL(url)
  address.searchParams.set('cursor', String(cursor))
  return address.href
}
