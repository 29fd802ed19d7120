package matrix

// shortKey is an RSA key of 1024 bits, for nothing but the test that it is refused.
const shortKey = `{"n": "wKWyFkoQlZxWjiK0RT4W2gZkfPntLAvCAZhVBfLGD0TLUYmulrt3RlTnmQHa99Kwz-Lk49-s8ujElXSyzuHGm-ZsEmArhN6YwfvVurs5B6WMjA89PhhEWCHWVWEMiBMd1deK0PtzxjLxRKhog6n_-BVk5Q-DQOxDXO0Pz3Tov_E",
"d": "lFrFox6UWPKVQU3-b1haNro3hnrdJ09CrwHFcBg-aCG9RWR228MwHixiUdU48CIDYYREaiulP0b7pHDDBkieLbh1I_YiT9onf-7fBE8ckhnr-UmnSb6cWYReJiR6GPywICKr1-cz9sUvmUX6NUVJ1z06A-3wiiMfq_9gov9NwDE",
"p": "5UVn_ju5lkN5ifc40doYPe4v2VLGvM9b4XL0t10_cVVS48pGZS-U85LxbM6ciSqiJ3mvUCEHuxFdxlKthXny7Q",
"q": "1xtAH8VJia3ptyif8I8fQWcQjq4pzOqZU1XbZFaiv-r9WxPSkHwHm3Yh-1THmxAaIAxY557uA_nDYftAqhBMlQ"}`
