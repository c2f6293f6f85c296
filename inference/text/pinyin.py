"""Mandarin syllables: which exist, and a common character for each of their tones."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

# Syllable, then one character for each tone (1 to 4, neutral): where GB 2312 has one, a common one
# without a second reading. Voices that take no pinyin are given these instead.
_CHARACTERS: Final = (
    "a阿嗄--啊 ai哀皑矮爱- an安-俺岸- ang肮昂-盎- ao凹翱袄傲- ba巴拔把坝吧 bai掰白摆稗- "
    "ban斑-板办- bang帮-绑棒- bao褒雹保报- bei悲-北备呗 ben奔-苯笨- beng崩甭-蹦- "
    "bi逼鼻彼壁- bian编-贬变- biao彪-表鳔- bie憋别瘪-- bin宾--摈- bing兵-柄病- "
    "bo拨勃簸檗卜 bu晡醭捕埠- ca擦-礤-- cai猜材彩菜- can参惭惨灿- cang仓藏--- cao操曹草-- "
    "ce---测- cen-岑--- ceng噌层-蹭- cha叉搽镲岔- chai拆豺-虿- chan搀缠产颤- "
    "chang猖偿厂唱- chao钞潮炒耖- che车-扯彻- chen郴尘碜衬- cheng撑城骋秤- chi痴弛侈炽- "
    "chong充崇宠铳- chou抽畴丑臭- chu出厨储搐- chuai揣--啜- chuan川椽喘串- "
    "chuang疮床闯创- chui炊锤--- chun椿纯蠢-- chuo戳--绰- ci疵慈此赐- cong匆丛--- "
    "cou---凑- cu粗徂-促- cuan蹿--窜- cui催-璀瘁- cun村存忖寸- cuo磋痤脞错- da搭答打大- "
    "dai呆-傣代- dan丹-掸惮- dang当-党档- dao刀-导到- de-德--的 deng灯-等凳- di低嫡底帝- "
    "dian掂-点垫- diao凋--吊- die爹叠--- ding叮-顶定- diu丢---- dong东-懂冻- dou兜-抖痘- "
    "du督犊睹妒- duan端-短断- dui堆--对- dun墩-趸钝- duo多夺朵剁- e屙俄-扼- ei-诶--- "
    "en恩--摁- er-儿尔二- fa发乏法珐- fan翻凡返犯- fang芳肪纺放- fei飞肥诽吠- "
    "fen氛坟粉忿- feng丰冯讽凤- fo-佛--- fou--否-- fu孵俘俯付- ga嘎噶尕尬- gai该-改钙- "
    "gan肝-敢赣- gang冈-岗筻- gao篙-稿告- ge割阁哿铬- gei--给-- gen根哏艮亘- geng庚-埂更- "
    "gong公-巩贡- gou沟-狗垢- gu姑-股固- gua刮-剐挂- guai乖-拐怪- guan关-管惯- "
    "guang光-广逛- gui圭-癸刽- gun--滚棍- guo锅国裹过- ha哈蛤--- hai嗨孩海氦- "
    "han憨函喊悍- hang夯航-沆- hao嚆嚎好号- he呵河-褐- hei黑---- hen-痕很恨- heng亨恒--- "
    "hong烘宏哄讧- hou-喉吼候- hu乎壶唬互- hua花猾-画- huai-槐-坏- huan欢桓缓唤- "
    "huang慌凰幌-- hui徽回悔卉- hun婚浑-混- huo豁活伙惑- ji击即挤冀- jia佳荚甲嫁- "
    "jian兼-俭健- jiang僵-奖匠- jiao交-搅叫- jie皆劫姐借- jin今-紧晋- jing京-警境- "
    "jiong--炯-- jiu揪-久厩- ju狙局举具- juan娟-卷倦- jue撅决--- jun军--峻- ka咖-卡-- "
    "kai开-凯忾- kan刊-砍看- kang慷扛-亢- kao尻-拷靠- ke柯咳可克- ken--啃裉- keng吭---- "
    "kong空-孔控- kou抠-口寇- ku哭-苦库- kua夸-垮挎- kuai--蒯侩- kuan宽-款-- "
    "kuang筐狂夼况- kui岿葵跬愧- kun坤-捆困- kuo---廓- la垃旯喇辣啦 lai-来-赖- "
    "lan-兰懒滥- lang啷廊朗浪- lao捞劳老涝- le肋--乐了 lei勒镭垒泪嘞 leng-棱冷愣- "
    "li哩梨李俐- lia--俩-- lian-廉敛恋- liang-梁两晾- liao撩寥蓼撂- lie--咧劣- "
    "lin拎临凛吝- ling-伶领另- liu溜刘柳六- long-咙垄-- lou-娄篓陋- lu噜卢掳录氇 "
    "luan-孪卵乱- lun抡仑-论- luo-箩裸洛- lv-驴侣律- lve---略- ma妈麻玛骂吗 mai-埋买卖- "
    "man颟瞒满曼- mang-忙莽-- mao猫矛卯帽- me----么 mei-枚每妹- men-门-闷们 meng-檬猛孟- "
    "mi眯弥米密- mian-棉冕面- miao喵瞄渺庙- mie乜--灭- min-民悯-- ming-螟酩命- miu---谬- "
    "mo摸膜抹寞- mou哞谋某-- mu-毪亩墓- na-拿哪纳- nai--奶奈- nan囡男腩-- nang囔囊攮-- "
    "nao孬挠恼闹- ne----呢 nei--馁内- nen---嫩- neng-能--- ni妮霓你腻- nian拈年撵念- "
    "niang-娘-酿- niao--鸟尿- nie捏--啮- nin-您--- ning-凝-泞- niu妞牛纽-- nong-农-弄- "
    "nou---耨- nu-奴努怒- nuan--暖-- nuo-挪-懦- nv--女恧- nve---虐- o喔哦--- ou欧-偶怄- "
    "pa啪爬-帕- pai拍徘-派- pan攀盘-判- pang乓庞耪胖- pao抛咆跑泡- pei呸赔-佩- pen喷盆--- "
    "peng烹朋捧碰- pi披啤匹僻- pian偏胼-骗- piao飘瓢殍票- pie撇---- pin拼贫品聘- "
    "ping乒凭--- po坡婆颇破- pou剖掊--- pu仆脯圃曝- qi凄旗企器- qia掐--恰- qian仟潜谴堑- "
    "qiang枪墙抢炝- qiao敲乔巧峭- qie--且怯- qin钦擒寝沁- qing倾情请庆- qiong芎琼--- "
    "qiu丘囚糗-- qu趋渠龋去- quan圈全犬劝- que缺瘸-却- qun逡群--- ran-然染-- rang-瓤壤让- "
    "rao-饶扰绕- re--惹热- ren-人忍刃- reng扔仍--- ri---日- rong茸溶冗-- rou-揉-肉- "
    "ru-儒乳入- ruan--软-- rui-蕤蕊瑞- run---润- ruo---弱- sa撒-洒萨- sai腮--赛- "
    "san三-伞散- sang桑-嗓丧- sao骚-嫂瘙- se---涩- sen森---- seng僧---- sha杀啥傻厦- "
    "shai筛--晒- shan删-闪善- shang伤-晌上裳 shao烧韶少绍- she奢舌舍慑- shen伸什婶渗- "
    "sheng升绳省剩- shi尸十使世匙 shou收-手兽- shu书孰暑恕- shua刷-耍-- shuai摔-甩帅- "
    "shuan拴--涮- shuang双-爽-- shui-谁水睡- shun--吮瞬- shuo说--朔- si丝-死嗣- "
    "song松-怂宋- sou艘-擞嗽- su苏俗-僳- suan酸--算- sui虽绥髓岁- sun孙-损-- suo唆-所-嗦 "
    "ta他-獭挞- tai胎台-态- tan坍坛坦炭- tang汤唐倘烫- tao涛淘讨套- te---特- teng-疼--- "
    "ti锑啼体剃- tian天恬腆掭- tiao挑条窕眺- tie贴-铁餮- ting厅亭艇-- tong通彤捅痛- "
    "tou偷头钭透- tu凸图吐兔- tuan湍团疃彖- tui推颓腿退- tun吞臀氽-- tuo托驼妥唾- "
    "wa挖娃瓦袜哇 wai歪-崴外- wan弯丸婉腕- wang汪亡网旺- wei危围伟卫- wen温文吻问- "
    "weng嗡-蓊瓮- wo窝-我卧- wu呜芜五务- xi吸习喜细- xia瞎侠-下- xian先嫌显县- "
    "xiang乡祥享像- xiao宵淆小啸- xie些协写卸- xin心--衅- xing惺刑醒性- xiong凶熊--- "
    "xiu修-朽嗅- xu墟徐许叙蓿 xuan宣悬癣绚- xue薛学雪血- xun勋循-殉- ya丫崖哑亚呀 "
    "yan阉严奄厌- yang殃佯养漾- yao腰尧舀耀- ye椰爷冶业- yi伊仪蚁义- yin因寅引印- "
    "ying婴盈影映- yo哟---- yong拥喁勇用- you幽尤友佑- yu淤娱宇域- yuan冤元远愿- "
    "yue曰--岳- yun晕云陨孕- za匝砸咋-- zai哉-宰再- zan糌咱攒暂- zang赃-驵葬- "
    "zao糟凿早噪- ze-则-仄- zei-贼--- zen--怎谮- zeng憎--赠- zha渣铡眨榨- zhai摘宅窄债- "
    "zhan毡-展战- zhang张-掌丈- zhao招-沼兆- zhe遮哲者浙着 zhen侦-诊镇- zheng争-拯证- "
    "zhi织侄址制- zhong忠-肿仲- zhou周轴帚咒- zhu株竹嘱住- zhua抓---- zhuai拽---- "
    "zhuan专-转篆- zhuang妆--壮- zhui锥--坠- zhun谆-准-- zhuo拙浊--- zi咨-滓字子 "
    "zong宗-总纵- zou邹-走奏- zu租卒组-- zuan钻-纂攥- zui--嘴罪- zun尊-撙-- zuo-昨佐做- "
)  # fmt: skip
_TONES: Final = 5
_TABLE: Final[dict[str, str]] = dict(re.findall(rf"([a-z]+)([^a-z ]{{{_TONES}}})", _CHARACTERS))
_MARKS: Final = {"\u0304": 1, "\u0301": 2, "\u030c": 3, "\u0300": 4}
_SYLLABLE: Final = re.compile(r"([a-z]+)([1-5])")
# eSpeak spells these syllables in English letters; the other spelling it speaks rightly.
_ESPEAK: Final = {"xiong": "xong", "qiong": "qong", "jiong": "jong"}


@dataclass(frozen=True, slots=True)
class Syllable:
    """letters: lower case, `v` for ü. tone: 1 to 4, 5 = neutral."""

    letters: str
    tone: int

    @property
    def exists(self) -> bool:
        return self.letters in _TABLE

    @property
    def character(self) -> str:
        """One that sounds so; of another tone where none has this one."""
        row = _TABLE[self.letters]
        same = row[self.tone - 1]
        return same if same != "-" else next(other for other in row if other != "-")

    @property
    def for_espeak(self) -> str:
        return f"{_ESPEAK.get(self.letters, self.letters)}{self.tone}"


def read_syllables(text: str) -> tuple[Syllable, ...]:
    """`ni3 hao3`, `ni3hao3` or `nǐ hǎo`; empty when the text is not written as pinyin.

    Syllables that do not exist are among them: whoever asks names them.
    """
    parts = [_numbered(part) for part in re.split(r"[\s'’·-]+", text.strip()) if part]
    written = "".join(parts)
    found = tuple(Syllable(letters, int(tone)) for letters, tone in _SYLLABLE.findall(written))
    whole = "".join(f"{item.letters}{item.tone}" for item in found)
    return found if whole == written else ()


def _numbered(syllable: str) -> str:
    """`nǐ` and `lǚ` as `ni3` and `lv3`; what has its number already stays."""
    tone = ""
    letters = ""
    for character in unicodedata.normalize("NFD", syllable.casefold()):
        if character in _MARKS:
            tone = str(_MARKS[character])
        else:
            letters += character
    plain = unicodedata.normalize("NFC", letters).replace("u:", "v").replace("ü", "v")
    return plain + tone
