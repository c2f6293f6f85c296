import { useI18n } from 'vue-i18n'

import type { ApiError } from '@/api/errors'

/** One line a host understands: our words for codes we know, else the server's own. */
export function useErrorText() {
  const { t, te } = useI18n()
  return (error: ApiError): string => {
    const key = `errors.${error.code}`
    const known = te(key) ? t(key) : error.message || t('errors.unknown', { code: error.code })
    const fields = error.details.map((item) => item.message).filter(Boolean)
    return fields.length > 0 ? fields.join(' ') : known
  }
}
