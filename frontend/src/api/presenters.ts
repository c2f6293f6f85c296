import { addressOf, get, getPages, post, readList } from './calls'
import { upload, type UploadOptions } from './http'
import type { Build, Presenter, PresenterUpload } from './schema'

/** Presenters, their versions, and the weights that their engines load. */

/** Of an upload, as `avatars/uploads.py` has it: said before, and checked by the server again. */
export const UPLOAD_MAX_MB = 300

const BUILD = 'avatars/{avatar_id}/builds/{build_id}/'

/** Fields of a form; what is empty is left out. */
export type UploadFields = { [K in keyof PresenterUpload]?: string | Blob | null }

export const listPresenters = (pages = 1) => readList('avatars/', pages)
export const getPresenter = (avatar_id: string) => get('avatars/{avatar_id}/', { avatar_id })
export const getWeights = (avatar_id: string) => get('avatars/{avatar_id}/weights/', { avatar_id })

export const listModelServers = () => get('model-servers/')

export const listBuilds = (avatar_id: string, pages = 1) =>
  readList('avatars/{avatar_id}/builds/', pages, { ids: { avatar_id } })

export const cancelBuild = (avatar_id: string, build_id: string) =>
  post(`${BUILD}cancel/`, undefined, { avatar_id, build_id })

/** A failed one, of the same upload. */
export const retryBuild = (avatar_id: string, build_id: string) =>
  post(`${BUILD}retry/`, undefined, { avatar_id, build_id })

export const useBuild = (avatar_id: string, build_id: string) =>
  post(`${BUILD}use/`, undefined, { avatar_id, build_id })

export const listConsents = () => getPages('consents/', { query: { page_size: 200 } })

/** Make a presenter of a film, photo or zip. */
export async function uploadPresenter(fields: UploadFields, options: UploadOptions): Promise<Presenter> {
  const response = await upload('avatars/', formOf(fields), options)
  return (await response.json()) as Presenter
}

/** Build the next version of a presenter. */
export async function uploadVersion(
  avatar_id: string,
  fields: UploadFields,
  options: UploadOptions,
): Promise<Build> {
  const address = addressOf('avatars/{avatar_id}/builds/', { avatar_id })
  return (await (await upload(address, formOf(fields), options)).json()) as Build
}

function formOf(fields: UploadFields): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) if (value) form.append(name, value)
  return form
}
