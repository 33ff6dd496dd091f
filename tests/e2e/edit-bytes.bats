#!/usr/bin/env bats
# Bytes, values and types that are written into a mount, and what torch loads afterwards.
load common
load judge
# shellcheck disable=SC2016,SC2059

prepare() {
    require_fuse
    require_torch
}

# poke FILE AT BYTES: in printf's spelling.
poke() {
    printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# floats N...: as float32.
floats() {
    perl -e 'print pack("f<*", @ARGV)' -- "$@"
}

python() {
    "$TORCH" -c "import numpy, mmap, os
$1"
}

# --- bytes of tensors ------------------------------------------------------------------------------

@test "torch sees the bytes that were written anywhere in a tensor, and no others" {
    edit tensors
    poke mnt/w 0 ab
    poke mnt/w 4093 wXyZ01
    poke mnt/w 23997 end
    committed w
    holds 'raw(d["w"]) == patched(torch.frombuffer(bytearray(patched(torch.frombuffer(bytearray(patched(
        o["w"], 0, b"ab")), dtype=torch.uint8), 4093, b"wXyZ01")), dtype=torch.uint8), 23997, b"end")'
}

@test "a tensor is replaced by a file of its size" {
    edit tensors
    floats $(seq 6000 -1 1) >new
    cat new >mnt/w
    committed w
    holds 'd["w"].flatten().tolist() == list(range(6000, 0, -1))'
}

@test "stores into a mapping are in the checkpoint" {
    edit tensors
    python '
m = mmap.mmap(os.open("mnt/w", os.O_RDWR), 0)
m[8190:8194] = b"page"
m.flush()
a = numpy.memmap("mnt/ints", dtype="int64", mode="r+")
a[3] = -5'
    committed w ints
    holds 'raw(d["w"]) == patched(o["w"], 8190, b"page")' 'd["ints"].tolist() == [0, 1, 2, -5, 4, 5, 6, 7]'
}

@test "stores into a mapping of the .npy are in the tensor" {
    edit tensors
    python '
a = numpy.load("mnt/w.npy", mmap_mode="r+")
a[59, 99] = -1
a.flush()
assert numpy.fromfile("mnt/w", dtype="f4")[-1] == -1'
    committed w
    holds 'd["w"][59, 99] == -1' 'd["w"][59, 98] == 5998'
}

@test "a tensor of the wrong size is refused, and nothing is committed" {
    edit tensors
    floats 1 2 3 >new
    run cp new mnt/w
    [ "$status" -ne 0 ]
    run cp mnt/w mnt/ints
    [ "$status" -ne 0 ]
    grep -c 'ints.*64' mnt/.pthfs/log
    "$PTHFS" umount mnt
    cmp c.pth "$ORIGINAL"
}

@test "two programs write into one tensor at once" {
    edit tensors
    exec 8<>mnt/w 9<>mnt/w
    printf 'from eight' >&8
    head -c 100 <&9 >/dev/null
    printf 'from nine!' >&9
    printf ', again' >&8
    exec 8>&-
    exec 9>&-
    holds 'raw(d["w"])[:17] == b"from eight, again"' 'raw(d["w"])[100:110] == b"from nine!"'
}

@test "tied tensors stay tied, and both names show the bytes at once" {
    edit tensors
    cat mnt/tied mnt/again >/dev/null
    floats 7 8 | dd of=mnt/again conv=notrunc status=none
    cmp mnt/tied mnt/again
    [ "$(stat -c %i mnt/tied)" = "$(stat -c %i mnt/again)" ]
    committed tied again
    holds 'tied(d["tied"], d["again"])' 'd["tied"][0, :2].tolist() == [7, 8]'
}

@test "tensors that overlap stay so, and show each other's bytes at once" {
    edit tensors
    cat mnt/base mnt/head mnt/mid >/dev/null
    floats 100 101 | dd of=mnt/mid bs=8 count=1 conv=notrunc status=none
    cmp <(tail -c +33 mnt/head | head -c 8) <(floats 100 101)
    floats 99 | dd of=mnt/base bs=4 seek=9 conv=notrunc status=none
    cmp <(tail -c +5 mnt/mid | head -c 4) <(floats 99)
    cmp <(head -c 64 mnt/base) mnt/head
    committed base head mid
    holds 'tied(d["base"], d["head"], d["mid"])' 'd["head"][8:10].tolist() == [100, 99]'
}

@test "a transposed tensor is written through in its own order" {
    edit tensors
    floats $(seq 1 24) >mnt/t
    cmp mnt/t <(floats $(seq 1 24))
    committed t
    holds 'd["t"].stride() == (1, 4)' 'd["t"].flatten().tolist() == list(range(1, 25))'
}

@test "of a tensor with steps only its own elements are written" {
    edit tensors
    poke mnt/every 4 '\0\0\0\0'
    committed every
    holds 'd["every"][:3].tolist() == [0, 0, 4]' 'd["every"].stride() == (2,)' \
        'torch.as_strided(d["every"], (40,), (1,))[:4].tolist() == [0, 1, 0, 3]'
}

@test "conjugate and negative views are written as they are seen" {
    edit tensors
    floats 1 2 | dd of=mnt/conj conv=notrunc status=none
    floats -5 | dd of=mnt/neg bs=4 seek=2 conv=notrunc status=none
    cmp <(head -c 8 mnt/conj) <(floats 1 2)
    committed conj neg
    holds 'd["conj"].is_conj() and d["neg"].is_neg()' 'd["conj"][0] == 1 + 2j' 'd["conj"][1] == 2 - 3j' \
        'd["neg"].tolist() == [0, -1, -5]'
}

@test "a tensor without dimensions, and one without elements" {
    edit tensors
    floats 7.5 >mnt/zero
    : >mnt/none
    run cp mnt/zero mnt/none
    [ "$status" -ne 0 ]
    committed zero
    holds 'd["zero"].item() == 7.5' 'd["zero"].shape == ()' 'd["none"].shape == (0, 3)'
}

@test "every dtype keeps what is written, bit for bit" {
    edit dtypes
    local name all=()
    for name in $(cd mnt && ls -I "*.meta"); do
        head -c "$(stat -c %s "mnt/$name")" "$BATS_TEST_FILENAME" | tr '\200-\377' '\0' >new
        [ "$name" = bool ] && printf '\1\0\1\1' >new
        cp new "mnt/$name"
        all+=("$name")
    done
    committed "${all[@]}"
    holds 'raw(d["bfloat16"]) == raw(d["float16"]) == b"#!/usr/b"' 'd["bool"].tolist() == [1, 0, 1, 1]' \
        'raw(d["complex128"])[:16] == b"#!/usr/bin/env b"' 'd["uint8"].tolist() == list(b"#!/u")'
}

@test "numpy arrays inside of the pickle are written in their own order" {
    edit arrays
    python '
numpy.arange(6, 0, -1.0).tofile("mnt/plain")
numpy.arange(6, 0, -1, dtype="i4").tofile("mnt/fortran")
numpy.array([1, 256, 65536, 7], dtype="<i4").tofile("mnt/big")
numpy.array(-9).tofile("mnt/zero")'
    echo 3.25 >mnt/scalar
    committed plain fortran big zero scalar
    holds 'd["plain"].tolist() == [[6, 5, 4], [3, 2, 1]]' 'd["fortran"].tolist() == [[6, 5, 4], [3, 2, 1]]' \
        'd["fortran"].flags.f_contiguous' 'd["big"].tolist() == [1, 256, 65536, 7]' \
        'd["big"].dtype.str == o["big"].dtype.str' 'd["zero"] == -9' \
        'd["scalar"] == 3.25 and type(d["scalar"]) is numpy.float64'
}

@test "parts of sparse and quantized tensors are written in place" {
    edit parts
    floats 5 6 >mnt/coo/values
    floats 8 9 >mnt/csr/values
    printf '\1\2\3\4\5\6' >mnt/q/int_repr
    printf '\6\5\4\3\2\1' >mnt/qc/int_repr
    run cp mnt/q/zero_point mnt/q/scale
    [[ $output == *"not supported"* ]]
    holds 'd["coo"].to_dense().tolist() == [[0, 0, 5], [6, 0, 0]]' 'd["csr"].to_dense().tolist() == [[0, 8], [9, 0]]' \
        'd["q"].int_repr().tolist() == [[1, 2, 3], [4, 5, 6]]' 'd["qc"].int_repr().tolist() == [[6, 5, 4], [3, 2, 1]]' \
        'd["q"].q_scale() == 0.5 and d["q"].q_zero_point() == 10' 'same(d["w"], o["w"])'
}

# --- values as text --------------------------------------------------------------------------------

@test "a value of every type is written as text and keeps its type" {
    edit values
    echo 13 >mnt/int
    echo 1267650600228229401496703205376 >mnt/big
    echo -40 >mnt/negative
    echo 1e-05 >mnt/float
    echo False >mnt/true
    echo vgg >mnt/str
    printf 'three\n\n' >mnt/lines
    echo '[3, "y"]' >mnt/list
    echo '[0.5, 0.25, 0.125]' >mnt/tuple
    echo '[[7]]' >mnt/nested
    printf '\377\0' >mnt/bytes
    echo torch.bfloat16 >mnt/dtype
    echo cpu >mnt/device
    echo '[4]' >mnt/size
    echo 0.5 >mnt/args/lr
    echo z >mnt/dict/2
    holds 'd["int"] == 13' 'd["big"] == 1 << 100' 'd["negative"] == -40' 'd["float"] == 1e-05' 'd["true"] is False' \
        'd["str"] == "vgg"' 'd["lines"] == "three\n"' 'd["list"] == [3, "y"]' 'd["tuple"] == (0.5, 0.25, 0.125)' \
        'd["nested"] == [[7]]' 'd["bytes"] == b"\xff\0"' 'd["dtype"] == torch.bfloat16' \
        'd["device"] == torch.device("cpu")' 'd["size"] == torch.Size([4])' \
        'd["args"].lr == 0.5 and d["args"].betas == (0.9, 0.999)' 'd["dict"] == {"a": 1, 2: "z", "c": {}}' \
        'type(d["size"]) is torch.Size' 'list(d) == list(o)' 'd["none"] is None' 'd["set"] == {7}'
}

@test "text that is not of the type is refused at close, and the log says what was expected" {
    edit values
    local name
    for name in int big float true none list tuple dtype device size; do
        echo 'surely (not' >new
        run cp new "mnt/$name"
        [ "$status" -ne 0 ]
        [[ $output == *"Invalid argument"* ]]
        grep -q " $name: " mnt/.pthfs/log
    done
    "$PTHFS" umount mnt
    cmp c.pth "$ORIGINAL"
}

@test "a value is written in a legacy stream as well" {
    edit values-legacy
    echo 13 >mnt/int
    echo vgg16 >mnt/str
    committed int str
}

# --- .meta -------------------------------------------------------------------------------------------

# meta FILE JQ: the .meta, changed by a jq expression.
meta() {
    jq -c "$2" "$1.meta" >new.meta
    cp new.meta "$1.meta"
}

@test "a .meta with another shape reshapes, with another dtype reinterprets, and only that tensor" {
    require_cmd jq
    edit tensors
    meta mnt/w '.shape = [100, 60]'
    meta mnt/ints '.dtype = "float32" | .shape = [4, 4]'
    meta mnt/mid '.shape = [16]'
    [ "$(jq -c .shape mnt/mid.meta)" = '[16]' ]
    committed w ints mid
    holds 'same(d["w"], o["w"].reshape(100, 60))' 'd["ints"].dtype == torch.float32 and d["ints"].shape == (4, 4)' \
        'raw(d["ints"]) == raw(o["ints"])' 'd["mid"].tolist() == o["mid"].flatten().tolist()' 'tied(d["base"], d["head"])' \
        'not tied(d["base"], d["mid"])'
}

@test "a .meta of another size is refused, and the log says why" {
    require_cmd jq
    edit tensors
    run meta mnt/w '.shape = [100, 61]'
    [ "$status" -ne 0 ]
    run meta mnt/w '.dtype = "float17"'
    [ "$status" -ne 0 ]
    [ "$(grep -c ' w.meta: ' mnt/.pthfs/log)" -eq 2 ]
    echo '{}' >new
    cp new mnt/w.meta || true
    "$PTHFS" umount mnt
    cmp c.pth "$ORIGINAL"
}

@test "requires_grad is written in the .meta" {
    require_cmd jq
    edit tensors
    meta mnt/w '.requires_grad = true'
    meta mnt/param '.requires_grad = false'
    run meta mnt/ints '.requires_grad = true'
    [ "$status" -ne 0 ]
    committed w param
    holds 'd["w"].requires_grad and not d["param"].requires_grad' 'type(d["param"]) is torch.nn.Parameter'
}

@test "the same .meta again changes nothing" {
    edit tensors
    for name in w t mid conj param tied; do
        cp "mnt/$name.meta" new
        cp new "mnt/$name.meta"
    done
    "$PTHFS" status mnt
    "$PTHFS" umount mnt
    cmp c.pth "$ORIGINAL"
}

# --- .npy and .json ----------------------------------------------------------------------------------

@test "an .npy changes shape and dtype, and the tensor has a storage of its own" {
    edit tensors
    python '
numpy.save("mnt/mid.npy", numpy.arange(3, dtype="float64"))
numpy.save("mnt/again.npy", numpy.ones((2, 2), dtype="int16"))
numpy.save("mnt/t.npy", numpy.ones((4, 6), dtype="float32"))
numpy.save("mnt/zero.npy", numpy.float32(1.5))
numpy.save("mnt/none.npy", numpy.zeros((0, 7), dtype="float32"))
numpy.save("mnt/param.npy", numpy.full((5,), 2, dtype="float32"))'
    committed mid tied again t zero none param
    holds 'd["mid"].dtype == torch.float64 and d["mid"].tolist() == [0, 1, 2]' 'd["again"].tolist() == [[1, 1], [1, 1]]' \
        'tied(d["tied"], d["again"]) and same(d["base"], o["base"])' 'd["t"].sum() == 24' 'd["zero"].item() == 1.5' 'd["none"].shape == (0, 7)' \
        'd["param"].requires_grad and type(d["param"]) is torch.nn.Parameter'
}

@test "an .npy of the same shape and dtype is written through, to its tied and overlapping tensors too" {
    edit tensors
    python '
numpy.save("mnt/tied.npy", numpy.full((5, 3), 4, dtype="f4"))
numpy.save("mnt/mid.npy", numpy.full((4, 4), 5, dtype="f4"))'
    committed tied again base head mid
    holds 'tied(d["tied"], d["again"])' 'd["again"].sum() == 60' 'd["head"][8:].sum() == 40' 'tied(d["head"], d["mid"])'
}

@test "an .npy may be big-endian or in Fortran's order" {
    edit tensors
    python '
a = numpy.arange(15, dtype="f4").reshape(5, 3) + 0.5
numpy.save("mnt/tied.npy", numpy.asfortranarray(a))
numpy.save("mnt/ints.npy", numpy.arange(8, dtype=">i8")[::-1].copy())
numpy.save("mnt/zero.npy", numpy.array(2.5, dtype=">f4"))
numpy.save("mnt/w.npy", numpy.asfortranarray(numpy.arange(12, dtype=">u2").reshape(3, 4)))'
    holds 'd["tied"].flatten().tolist() == [x + 0.5 for x in range(15)]' 'd["ints"].tolist() == [7, 6, 5, 4, 3, 2, 1, 0]' \
        'd["zero"].item() == 2.5' 'd["w"].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]'
}

@test "what is no .npy file is refused, and the old tensor is back" {
    edit tensors
    for text in "" "hello" '\223NUMPY\1\0\20\0{"descr": "<f4"}' '\223NUMPY\1\0\377\377'; do
        printf "$text" >new
        run cp new mnt/w.npy
        [ "$status" -ne 0 ]
    done
    python 'numpy.save("new.npy", numpy.array(["a", "b"]))'
    run cp new.npy mnt/w.npy
    [ "$status" -ne 0 ]
    python 'numpy.save("new.npy", numpy.zeros(3))'
    head -c 140 new.npy >short.npy
    run cp short.npy mnt/w.npy
    [ "$status" -ne 0 ]
    "$PTHFS" umount mnt
    cmp c.pth "$ORIGINAL"
}

@test "an .npy over a numpy array inside of the pickle" {
    edit arrays
    python 'numpy.save("mnt/plain.npy", numpy.arange(6, 0, -1.0).reshape(2, 3))'
    committed plain
    holds 'type(d["plain"]) is numpy.ndarray and d["plain"].sum() == 21'
}

@test "a .json changes the type of a value" {
    edit values
    echo '"twelve"' >mnt/int.json
    echo '7' >mnt/str.json
    echo 'null' >mnt/float.json
    echo '[1, [2, "x"], null]' >mnt/true.json
    echo '1.5' >mnt/none.json
    echo '{"a": {"b": [1]}, "c": 2}' >mnt/negative.json
    [ "$(cat mnt/int)" = twelve ]
    [ "$(cat mnt/negative/c)" = 2 ]
    holds 'd["int"] == "twelve"' 'd["str"] == 7' 'd["float"] is None' 'd["true"] == [1, [2, "x"], None]' \
        'd["none"] == 1.5' 'd["negative"] == {"a": {"b": [1]}, "c": 2}' 'list(d) == list(o)' 'd["args"] == o["args"]'
}

@test "what is no JSON is refused" {
    edit values
    for text in '{' '[1,]' '{"a": 1, "a": 2}' 'True' ''; do
        echo "$text" >new
        run cp new mnt/int.json
        [ "$status" -ne 0 ]
    done
    [ "$(cat mnt/int)" = 12 ]
    "$PTHFS" umount mnt
    cmp c.pth "$ORIGINAL"
}

# --- through views -----------------------------------------------------------------------------------

@test "bytes, .meta and .npy through module/ and .pthfs/strip/ reach the tensors behind them" {
    require_cmd jq
    edit parallel
    floats 1 2 3 >mnt/module/body.0.bias
    python 'numpy.save("mnt/.pthfs/strip/module/head.bias.npy", numpy.full(5, 9, dtype="f4"))
numpy.save("mnt/.pthfs/strip/module.body/0.weight.npy", numpy.zeros((2, 2), dtype="f2"))
a = numpy.memmap("mnt/.pthfs/add/x/x.module.body.1.bias", dtype="f4", mode="r+")
a[:] = 6'
    meta mnt/module/embed.weight '.shape = [3, 5]'
    cmp mnt/module.body.0.bias <(floats 1 2 3)
    committed module.body.0.bias module.head.bias module.body.0.weight module.embed.weight module.head.weight module.body.1.bias
    holds 'd["module.body.0.bias"].tolist() == [1, 2, 3]' 'd["module.body.0.weight"].dtype == torch.float16' \
        'd["module.embed.weight"].shape == (3, 5)' 'd["module.head.bias"].sum() == 45' 'd["module.body.1.bias"].sum() == 18'
}

@test "values and files below a key are written through a view of that state_dict" {
    edit training
    floats 4 5 6 >mnt/model/module/body.0.bias
    floats 7 8 9 >mnt/model/.pthfs/strip/module.body/1.bias
    echo 0.25 >mnt/optimizer/param_groups/0/lr
    echo '[0.5, 0.75]' >mnt/optimizer/param_groups/0/betas
    floats 3 >mnt/optimizer/state/0/step
    committed model/module.body.{0,1}.bias optimizer/param_groups/0/{lr,betas/0,betas/1} optimizer/state/0/step
}

@test "bytes are written in TorchScript archives and legacy streams" {
    edit script
    floats 5 6 >mnt/fc.bias
    committed fc.bias
    edit training-legacy
    floats 4 5 6 >mnt/model/module/body.0.bias
    floats 1 2 3 >mnt/trainer/weight
    committed model/module.body.0.bias trainer/weight
}
