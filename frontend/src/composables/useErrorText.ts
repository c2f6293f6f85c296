import { useI18n } from 'vue-i18n'

import type { ApiError } from '@/api/errors'

import { useReasonText } from './useReasonText'

/** One line a host understands: our words for codes we know, else the server's own. */
export function useErrorText() {
  const { t, te } = useI18n()
  const reasonText = useReasonText()
  return (error: ApiError): string => {
    const key = `errors.${error.code}`
    const known = te(key) ? t(key) : reasonText(error.message) || t('errors.unknown', { code: error.code })
    const fields = error.details.map((item) => reasonText(item.message)).filter(Boolean)
    return fields.length > 0 ? fields.join(' ') : known
  }
}
