/** Examples in the language of the voices, whatever language the page is written in. */
export const EXAMPLES: Record<string, { sentence: string; word: string; reading: string }> = {
  'zh-CN': {
    sentence: '大家好，欢迎来到我的直播间！今天全场九九折，共 3.5 万件。',
    word: '重庆',
    reading: 'chong2 qing4',
  },
  'en-US': {
    sentence: 'Hello and welcome to the show! Today everything is 20% off.',
    word: 'nginx',
    reading: 'engine ex',
  },
}
