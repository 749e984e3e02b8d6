// Passwords that are guessed first, in a compact form: over a thousand words and walks over the keyboard, put together from what lists of
// leaked passwords agree on. Short ones are refused for their length anyway; here they stand for what people make of them: a capital
// letter, digits and signs around the word, letters swapped for digits that look like them. One word so dressed up is as good as the word.

const WORDS = `
password passwort passw0rd passwd pass motdepasse contrasena contraseña senha wachtwoord parola haslo heslo jelszo salasana losenord lozinka parole
admin administrator root toor user guest test tester testing demo default changeme changeit change welcome willkommen bienvenue letmein login logon
master manager supervisor operator system sysadmin superuser super secret geheim topsecret private temp temporary temppass initial install setup
docker registry ghostdock container kubernetes kube harbor jenkins gitlab github nexus artifactory quay vagrant ansible terraform ubuntu debian
centos redhat fedora linux windows microsoft apple google amazon oracle mysql postgres postgresql mongo mongodb redis elastic cisco server
database backup service support helpdesk office company corporate internal development developer production staging deploy deployment
qwerty qwertz azerty qwertyuiop qwertzuiop azertyuiop asdfgh asdfghjkl zxcvbn zxcvbnm yxcvbnm qazwsx qazwsxedc wsxedc qweasd qweasdzxc asdasd asdfasdf
zxczxc qweqwe qwer qwert asdf asdfg zxcv wasd poiuytrewq lkjhgfdsa mnbvcxz abcd abcde abcdef abcdefg abcdefgh abcdefghi abcdefghij abc xyz aaa zaq zaqwsx
iloveyou loveyou loveme lovely love lover loveyouforever ilove iloveme iloveu teamo tequiero amor amore mylove babygirl baby babyboy princess princesa
prince king queen angel angels angelina devil heaven jesus christ jesuschrist god godisgood blessed faith hope grace trinity church bible
monkey dragon tiger lion eagle falcon hawk wolf shark panther leopard cheetah elephant giraffe zebra horse pony dolphin whale penguin turtle
rabbit bunny hamster kitten kitty cat dog doggy puppy bear teddy teddybear panda koala snake cobra viper spider scorpion phoenix unicorn butterfly
sunshine sunflower flower flowers rainbow shadow moon moonlight star stars starlight sky summer winter spring autumn january february march april
may june july august september october november december monday tuesday wednesday thursday friday saturday sunday weekend holiday vacation christmas
easter halloween thanksgiving birthday happy happiness smile forever always never again hello hallo hola bonjour ciao goodbye please thanks thankyou
football fussball soccer baseball basketball hockey tennis golf cricket rugby volleyball swimming running racing boxing wrestling skater surfing
liverpool arsenal chelsea manchester united barcelona barca realmadrid madrid juventus milan inter bayern dortmund schalke hamburg ajax celtic rangers
yankees redsox dodgers giants cowboys steelers packers eagles raiders broncos patriots lakers bulls celtics warriors knicks spurs heat ravens lions
mustang ferrari porsche mercedes bmw audi volkswagen corvette camaro chevrolet chevy ford toyota honda nissan mazda yamaha suzuki kawasaki harley ducati
batman superman spiderman ironman wolverine joker robin hulk thor avengers marvel starwars skywalker vader yoda jedi matrix neo trinity gandalf frodo
legolas aragorn hobbit mordor potter harrypotter hogwarts gryffindor dumbledore hermione pokemon pikachu charizard mario luigi zelda sonic minecraft fortnite roblox
naruto sasuke sakura goku vegeta onepiece luffy bleach ichigo dragonball doraemon hellokitty mickey mickeymouse minnie donald snoopy garfield tigger winnie
metallica nirvana slipknot megadeth ironmaiden beatles elvis eminem rihanna beyonce madonna shakira justin bieber taylor swift onedirection
michael michelle jennifer jessica ashley amanda melissa nicole stephanie elizabeth samantha danielle heather rachel rebecca lauren megan hannah emily emma
olivia sophia isabella charlotte natalie victoria vanessa veronica patricia barbara linda susan margaret dorothy nancy karen betty helen sandra donna carol
ruth sharon laura sarah kimberly deborah maria anna andrea julia claudia sabrina martina daniela alexandra katharina christina birgit sabine monika ursula petra
jordan joshua matthew andrew daniel david joseph thomas charles anthony robert richard william christopher jonathan nicholas alexander benjamin samuel
nathan justin brandon tyler austin dylan logan ethan mason jacob ryan kevin brian jason jeffrey scott eric steven stephen timothy patrick peter paul mark
george edward henry frank raymond gregory dennis jerry walter harold douglas arthur albert carlos diego jose juan miguel luis pedro antonio francisco
alejandro fernando ricardo roberto eduardo sergio marco giovanni giuseppe francesco stefan andreas martin sebastian tobias florian markus thomas wolfgang
hunter killer ninja samurai warrior soldier ranger sniper assassin knight wizard magic merlin mystic pirate captain commander general major sergeant
cookie cookies chocolate candy sugar honey cherry banana orange lemon strawberry pineapple mango peach apple apples pepper ginger cinnamon vanilla cheese
pizza burger coffee whiskey vodka budweiser heineken guinness cocacola pepsi snickers nutella peanut butter chicken bacon
computer internet keyboard monitor laptop iphone android samsung nokia motorola sony playstation xbox nintendo gamer gaming player hacker hacked coder
america american canada london paris berlin munich vienna zurich rome madrid lisbon amsterdam brussels dublin moscow tokyo beijing sydney melbourne
newyork boston chicago dallas houston denver phoenix seattle portland miami atlanta detroit texas florida california hawaii alaska virginia
germany deutschland france francia england scotland ireland wales spain espana italy italia russia china japan korea india brazil brasil mexico argentina
australia england turkey greece poland portugal sweden norway denmark finland austria switzerland holland belgium
money dollar euro millionaire rich lucky luckyone fortune diamond gold golden silver bronze platinum crystal ruby emerald sapphire pearl jewel
freedom liberty justice peace war victory winner champion number one legend hero power energy thunder lightning storm tornado hurricane blizzard fire
ice snow rain water ocean river mountain forest garden island beach paradise planet earth universe galaxy cosmos saturn jupiter mars venus mercury neptune
black white red blue green yellow purple pink brown gray grey silver blackcat bluesky redrose greenday purplerain
fuckyou fuckme fuckoff fucker asshole bitch bastard bullshit shit sexy sexy69 pussy cocksucker dickhead porn pornstar naked boobs tits biteme eatme
trustno nopassword mypassword thepassword yourpassword newpassword oldpassword goodpassword badpassword mypass passpass passme password passphrase
letmeinnow opensesame sesame abracadabra access accessdenied access granted whatever whatsup nothing something anything everything nobody somebody
family mother father sister brother daughter grandma grandpa mommy daddy mama papa mylife myself friends friend bestfriend friendship together
school student teacher college university student class history science math english german french spanish music guitar piano drummer violin trumpet
scooter skateboard bicycle motorcycle airplane airbus boeing rocket shuttle spaceship apollo challenger discovery enterprise startrek spock kirk picard
monster vampire zombie ghost skeleton demon lucifer satan hades zeus apollo athena hercules achilles odysseus spartan spartacus gladiator caesar
charlie buster bailey maggie lucky molly daisy sadie lola bella coco oscar rocky max jack toby buddy duke rex rusty shelby sparky smokey snowball
maverick iceman goose viper cowboy cowgirl rodeo rebel outlaw gangster gangsta mafia scarface godfather soprano corleone tupac biggie snoop dogg
correcthorse correcthorsebatterystaple batterystaple tr0ub4dor hunter swordfish joshua wargames zion
`;

const WALKS = `
12345678 123456789 1234567890 0123456789 01234567 012345678 87654321 987654321 9876543210 0987654321 11223344 1122334455 112233445566 123123123 12341234
1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y 1q2w3e 1qaz2wsx 1qaz2wsx3edc 1qazxsw2 zaq12wsx zaq1xsw2 zaq1zaq1 qazwsx123 q1w2e3r4 q1w2e3r4t5 q1w2e3r4t5y6 a1b2c3d4 a1b2c3d4e5
a1s2d3f4 1a2b3c4d 1a2s3d4f 123qweasd 123qwe123 123qwe456 123qwerty 1234qwer 12qwaszx 1234qwerasdf asdf1234 qwer1234 qwer4321 zxcv1234 qweasd123 qweasdzxc123 asd123456 qwe123456
qwe123qwe abc123456 abc12345 abcd1234 abcd12345 aa123456 aa12345678 a123456789 a12345678 a1234567 123456789a 12345678a 1234567a 123456aa 123456ab 123456abc 123456789q 12345678q 1234567q q123456789 q12345678 q1234567 z123456789
123321123 12332112 123454321 1234554321 12344321 123654789 147258369 147852369 159357456 159753456 741852963 789456123 456789123 963852741 951753852 321654987 369258147 258456 14789632 142536789 102030405060 1020304050
10203040 10101010 01010101 12121212 13131313 21212121 20002000 19841984 13579246 135792468 1357924680 24681357 2468013579 246813579 97531864 31415926 314159265 3141592653 27182818 16180339 14142135
987456321 987654321a 98765432 9876543 876543210 0246813579 0147258369 00000001 00000007 11111112 99999998 12345687 12345679 123456780 1234567891 12345678910 1234567899 1234567898 123456788 123456787
password1 password12 password123 password1234 passw0rd1 p@ssw0rd p@ssword p@55w0rd p4ssw0rd pa55word pa55w0rd pa$$word pa$$w0rd passwordpassword adminadmin rootroot testtest useruser guestguest
admin123 admin1234 administrator1 root1234 test1234 user1234 guest1234 welcome1 welcome123 changeme1 changeme123 letmein1 letmein123 qwerty12 qwerty123 qwerty1234 iloveyou1 iloveyou2
asdfjkl; asdfghjkl; qwertyui asdfghjk zxcvbnm, !qaz2wsx !qaz@wsx 1qaz!qaz !@#$%^&* !@#$%^&*( !@#$%^&*() )(*&^%$# ~!@#$%^& qwer!@#$ 1234!@#$ !@#$1234 !@#$qwer asdf!@#$ abcd!@#$ abc!@#123 admin!@# test!@#$ qwe!@#123
thisisapassword thisismypassword ihatepasswords idontknow idontcare dontforget forgotit rememberme letmein2 neveragain whatthehell whoareyou howareyou iamthebest imthebest numberone number1 trustno1 nopass123
`;

const entriesOf = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/).filter((entry) => entry !== ''));

// Look-alikes are compared as letters on both sides, so that `passw0rd` in the list and in a password are the same.
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
  '!': 'i',
};
const asLetters = (text: string): string => text.replace(/[013457@$!]/g, (sign) => LOOK_ALIKES[sign] ?? sign);

const walks = entriesOf(WALKS);
const words = new Set([...entriesOf(WORDS)].map(asLetters));

/** How many entries there are, for the spec that says so. */
export const COMMON_PASSWORDS = walks.size + words.size;

/** Most digits and signs around a word that still do not make a password of it: a year and a sign, four digits and a few signs. */
const MOST_AROUND = 6;

/** The word that people began with: without digits and signs at either end. */
const undressed = (text: string): string => text.replace(/^[^\p{L}]{0,6}/u, '').replace(/[^\p{L}]{0,6}$/u, '');

/** The shortest piece that the text is nothing but a repetition of. */
const pieceOf = (text: string): string => {
  const period = (text + text).indexOf(text, 1);
  return text.slice(0, period);
};

/** Neighbours by their code, up or down all the way: `abcdefgh`, `76543210`. */
const isRun = (text: string): boolean => {
  const steps = [...text].slice(1).map((character, index) => character.charCodeAt(0) - text.charCodeAt(index));
  return steps.every((step) => step === 1) || steps.every((step) => step === -1);
};

const SHORTEST_PIECE = 5;

/** Whether a password is one of those that are guessed first, however it is dressed up. */
export const isCommonPassword = (password: string): boolean => {
  const text = password.toLowerCase();
  const piece = pieceOf(text);
  if (piece.length < SHORTEST_PIECE || isRun(text)) return true;
  if (walks.has(text) || walks.has(piece) || words.has(asLetters(text)) || words.has(asLetters(piece))) return true;
  const word = undressed(text);
  const around = text.length - word.length;
  return around <= MOST_AROUND * 2 && (words.has(asLetters(word)) || words.has(word));
};
