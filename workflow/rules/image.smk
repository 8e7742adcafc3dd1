# The image that everything with torch runs in. It is made anew when what it is made from changes, and the record then
# names another one; runs that are there already stay, and each names the image that it ran in.
if IMAGE:

    rule image:
        input:
            unpack(before_image),
        output:
            IMAGE.record,
        log:
            f"{RESULTS}/logs/image.log",
        params:
            made_from=IMAGE.made_from,
        retries: 0  # what cannot be made is not tried again, whatever the profile says
        localrule: True
        shell:
            "scalestudy image --config {input.config:q} {output:q} 2> >(tee {log:q} >&2)"
