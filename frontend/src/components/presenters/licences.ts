import type { Presenter, PresenterWeights } from '@/api/schema'

/** Files that the engine needs and this host has not, or has wrong. */
export function absentFiles(weights?: PresenterWeights): string[] {
  const files = weights?.networks.filter((item) => !item.is_ready).flatMap((item) => item.files) ?? []
  return files.filter((item) => item.state !== 'present').map((item) => item.path)
}

/** What the owner noted, then those of the networks, each once. */
export function licencesOf(presenter: Presenter, weights?: PresenterWeights): string[] {
  const own = Array.isArray(presenter.licences) ? presenter.licences.map(String) : []
  return [...new Set([...own, ...(weights?.networks.map((item) => item.licence) ?? [])])]
}
